"""A node that is started with bad parameters or files ends with one sentence."""

from collections.abc import Generator
from typing import Any

import pytest
from harness import Graph

# node and parameters of a start that must fail, and what the sentence must contain
REFUSED_STARTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown task": ("planner_node", {"task": "juggling"}, "there is no task 'juggling'; known are "),
    "missing model": ("simulator_node", {"model_path": "/nowhere.xml"}, "there is no MJCF file /nowhere.xml"),
    "broken model": ("simulator_node", {"model_path": "{folder}/broken.xml"}, "is not a valid MJCF model"),
    "model of another task": (
        "simulator_node", {"model_path": "{folder}/bare.xml"}, "the model has no sensor named"
    ),
    "wrong joint": ("planner_node", {"joints": ["hinge"]}, "unknown joint hinge; expected slider"),
    "horizon": ("planner_node", {"horizon": 0}, "horizon"),
    "temperature": ("planner_node", {"temperature": -1.0}, "temperature"),
    "type": ("planner_node", {"temperature": "hot"}, "temperature must be of type float, not 'hot'"),
    "misspelt parameter": (
        "planner_node", {"safety.max_effort_scal": 0.1},
        "planner_node has no parameter safety.max_effort_scal; did you mean safety.max_effort_scale?",
    ),
    "parameter of another node": (
        "simulator_node", {"horizon": 8},
        "simulator_node has no parameter horizon; it belongs to planner_node",
    ),
    "too many labels": (
        "learner_node", {"warmup_labels": 64, "label_capacity": 32},
        "warmup_labels 64 exceeds label_capacity 32",
    ),
    "choice": ("planner_node", {"noise": "pink"}, "noise must be one of white, filtered, knots, not 'pink'"),
    "too few rollouts": ("planner_node", {"rollouts": 3}, "rollouts 3 are too few for 4 knots; use at least"),
    "rate": ("planner_node", {"control_rate": 30.0}, "control_rate 30.0 is not task cartpole_swingup's 50 c"),
    "broken weights": ("planner_node", {"weights_file": "{folder}/broken.xml"}, "the weights are corrupted"),
    "missing weights": ("planner_node", {"weights_file": "no.safetensors"}, "no.safetensors"),
}  # fmt: skip


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Generator[Graph]:
    """All of the starts that must fail, a few at a time."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "broken.xml").write_text("<mujoco><worldbody><body></mujoco>")
    joint = '<body><joint name="slider" type="slide"/><geom size="1"/></body>'
    (folder / "bare.xml").write_text(f"<mujoco><worldbody>{joint}</worldbody></mujoco>")
    with Graph(folder) as graph:
        for index, (name, (node, parameters, _)) in enumerate(REFUSED_STARTS.items()):
            given: dict[str, Any] = {
                key: value.format(folder=folder) if isinstance(value, str) else value
                for key, value in parameters.items()
            }
            graph.start(node, name, **given)
            if index >= 3:
                graph.exit_code(list(REFUSED_STARTS)[index - 3])
        yield graph


@pytest.mark.parametrize("name", REFUSED_STARTS)
def test_a_bad_start_is_refused_with_one_sentence(refused: Graph, name: str) -> None:
    assert refused.exit_code(name) == 1
    lines = refused.log(name).strip().splitlines()
    assert len(lines) == 1
    assert "[FATAL]" in lines[0]
    assert REFUSED_STARTS[name][2] in lines[0]
