"""ROS 2 parameter files read without ROS."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.parameters.schema import build
from polo_ros.parameters.settings import settings_for
from polo_ros.parameters.yaml_files import ParameterFile, parse_overrides
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks import task_class

FILES = sorted(share_path("config").glob("*.yaml"))
COMMON = {"/**": {"ros__parameters": {"task": "cartpole_swingup"}}}


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def planner_file(folder: Path, **values: Any) -> Path:
    content = COMMON | {"/**/planner_node": {"ros__parameters": values}}
    return write(folder / "file.yaml", content)


def task_of(path: Path) -> str:
    """The file's task; pointmass.yaml names none, because it serves two."""
    return str(ParameterFile.read(path).values("/planner_node").get("task", "pointmass_maze"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_load(path: Path) -> None:
    settings = settings_for(task_of(path), path)
    values = ParameterFile.read(path).values("/planner_node")
    assert settings.planner.horizon == values["horizon"]
    assert settings.planner.noise_sigma == values["noise_sigma"]
    assert settings.task.timestep == pytest.approx(1.0 / settings.planner_node.control_rate)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("node", NODES)
def test_shipped_files_agree_with_the_tables(path: Path, node: str) -> None:
    specs = {spec.name: spec for spec in node_table(node, task_class(task_of(path)))}
    for name, value in ParameterFile.read(path).values(f"/{node}").items():
        specs[name].convert(value)
    for config in NODES[node]:
        build(config, {})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_name_only_known_nodes(path: Path) -> None:
    keys = set(yaml.safe_load(path.read_text()))
    assert keys <= {"/**", *(f"/**/{node}" for node in NODES)}


@pytest.fixture
def own_task(tmp_path: Path) -> str:
    """The path of a task in a file of its own."""
    path = tmp_path / "swing.py"
    path.write_text(
        "from polo_ros.tasks.cartpole_swingup import CartpoleSwingup\n\n\n"
        "class Swing(CartpoleSwingup):\n    name = 'swing'\n    model_source = 'cartpole.xml'\n"
    )
    return str(path)


def test_a_task_without_a_parameter_file_has_the_defaults_and_says_so(
    own_task: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(own_task)
    assert settings.planner == PlannerConfig() and settings.task.name == "swing"
    settings_for(own_task)
    (line,) = caplog.messages  # once
    assert line.endswith("has no parameter file: all parameters have their defaults; "
                         f"{own_task.replace('.py', '.yaml')} would replace them")  # fmt: skip


@pytest.mark.parametrize("given", ["swing", "{path}", None])
def test_the_parameter_file_of_a_task_in_a_file_is_beside_it(given: str | None, own_task: str) -> None:
    task = {} if given is None else {"task": given.format(path=own_task)}
    blocks = {"/**": {"ros__parameters": task}, "/**/planner_node": {"ros__parameters": {"horizon": 17}}}
    write(Path(own_task).with_suffix(".yaml"), blocks)
    assert settings_for(own_task).planner.horizon == 17


def test_the_parameter_file_of_another_task_is_refused(own_task: str) -> None:
    write(Path(own_task).with_suffix(".yaml"), {"/**": {"ros__parameters": {"task": "hand_cube"}}})
    with pytest.raises(PoloError, match=r"swing\.yaml is for task hand_cube, not swing"):
        settings_for(own_task)


def test_misspelt_terms_of_a_task_in_a_file_are_refused_with_what_was_meant(own_task: str) -> None:
    with pytest.raises(PoloError, match=r"parameter reward\.uprigt; did you mean reward\.upright\?"):
        settings_for(own_task, overrides={"reward.uprigt": 1.0})


@pytest.mark.parametrize("name", ["humanoid_getup", "cartpole_swingup"])
def test_a_task_finds_its_own_file(name: str) -> None:
    settings = settings_for(name)
    assert settings.task.name == name
    assert settings.planner == settings_for(name, share_path("config", f"{name}.yaml")).planner


def test_the_settings_of_the_paper() -> None:
    planner = settings_for("humanoid_getup", share_path("config", "humanoid_getup_paper.yaml")).planner
    assert (planner.horizon, planner.rollouts, planner.discount) == (64, 120, 0.99)
    assert (planner.noise, planner.noise_sigma) == ("white", 0.2)
    assert (planner.temperature_mode, planner.temperature) == ("absolute", 1.25)
    assert (planner.iterations, planner.elites) == (1, 0)


def test_real_time_plans_less_and_is_otherwise_as_recommended() -> None:
    file = share_path("config", "humanoid_getup_realtime.yaml")
    lockstep = share_path("config", "humanoid_getup_paper_torque.yaml")
    real_time, recommended = settings_for("humanoid_getup", file), settings_for("humanoid_getup", lockstep)
    changed = {"horizon": 48, "rollouts": 12, "noise_sigma": 0.4}
    assert real_time.planner == replace(recommended.planner, **changed)
    assert (real_time.planner_node.lockstep, real_time.planner_node.threads) == (False, 2)
    assert real_time.task.weights == recommended.task.weights


def test_own_values_override_those_for_all_nodes(tmp_path: Path) -> None:
    path = write(
        tmp_path / "file.yaml",
        {
            "/**": {"ros__parameters": {"task": "cartpole_swingup", "threads": 4}},
            "/**/planner_node": {"ros__parameters": {"threads": 2, "safety": {"ramp_time": 0.5}}},
            "/**/learner_node": {"ros__parameters": {"hidden": [8]}},
        },
    )
    settings = settings_for("cartpole_swingup", path)
    assert settings.planner_node.threads == 2
    assert settings.planner_node.ramp_time == 0.5
    assert settings.learner_node.threads == 4
    assert settings.learner.hidden == (8,)


def test_reward_weights_and_torque_scale_reach_the_task(tmp_path: Path) -> None:
    path = planner_file(tmp_path, torque_scale=0.5, reward={"upright": 2, "centre": -0.5})
    settings = settings_for("cartpole_swingup", path)
    assert settings.task.weights == {"upright": 2.0, "centre": -0.5, "speed": -0.01, "control": -0.01}
    plain = settings_for("cartpole_swingup").task
    assert settings.task.model.actuator_gear[0, 0] == 0.5 * plain.model.actuator_gear[0, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizont": 20}, "planner_node has no parameter horizont"),
        ({"reward": {"uprite": 1.0}}, r"planner_node has no parameter reward\.uprite"),
        ({"horizon": "long"}, "horizon .*'long'"),
        ({"horizon": 0}, r"horizon must lie in \[1, 256\], not 0"),
        ({"temperature": -1.0}, r"temperature must lie in .*, not -1\.0"),
        ({"noise": "pink"}, "noise must be one of white, filtered, knots"),
        ({"reward": {"upright": "high"}}, r"reward\.upright .*'high'"),
        ({"reward": {"upright": 100.0}}, r"reward\.upright must lie in \[0\.0, 2\.0\], not 100\.0"),
        ({"rollouts": 5, "noise_knots": 4, "elites": 1}, "rollouts 5 are too few for 4 knots"),
        ({"horizon": 3, "noise_knots": 4}, "noise_knots 4 exceeds horizon 3"),
        ({"torque_scale": 0.0}, "torque_scale must lie in"),
        ({"model_path": "/nowhere/model.xml"}, "no MJCF file /nowhere/model.xml"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=message):
        settings_for("cartpole_swingup", planner_file(tmp_path, **values))


def test_an_unknown_learner_parameter_is_refused(tmp_path: Path) -> None:
    content = COMMON | {"/**/learner_node": {"ros__parameters": {"learning_rat": 0.1}}}
    with pytest.raises(PoloError, match="learner_node has no parameter learning_rat"):
        settings_for("cartpole_swingup", write(tmp_path / "file.yaml", content))


def test_a_file_of_another_task_is_refused() -> None:
    with pytest.raises(PoloError, match="is for task cartpole_swingup, not humanoid_getup"):
        settings_for("humanoid_getup", share_path("config", "cartpole_swingup.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: [1", "is not valid YAML"),
        (b"a: 2026-13-01", "is not valid YAML: month must be in 1..12"),
        (b"a: " + 5000 * b"9", "is not valid YAML"),
        (b"[" * 100_000, "is not valid YAML"),
        (b"\xff\xfe\xfa", "is not valid YAML"),
        (b"", "is not a ROS 2 parameter file"),
        (b"- horizon", "is not a ROS 2 parameter file"),
        (b"horizon", "is not a ROS 2 parameter file"),
        (b"/**: 3", "must hold ros__parameters"),
        (b"/**/planner_node:\n  ros__parameters: [1, 2]", "must hold ros__parameters"),
    ],
)
def test_a_file_of_another_kind_is_refused(text: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(text)
    with pytest.raises(PoloError, match=message):
        ParameterFile.read(path).values("/planner_node")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=r"absent\.yaml could not be read \(No such file"):
        ParameterFile.read(tmp_path / "absent.yaml")


def test_an_unknown_task_is_named_before_any_file_is_read() -> None:
    with pytest.raises(PoloError, match="there is no task 'fly'; known are arm_reach, cartpole_swingup"):
        settings_for("fly")


def test_overrides_replace_file_values_in_each_node_that_knows_the_name() -> None:
    overrides = {"horizon": 20, "threads": 3, "reward.upright": 0.5, "batch_size": 8}
    settings = settings_for("cartpole_swingup", overrides=overrides)
    assert settings.planner.horizon == 20
    assert settings.planner_node.threads == settings.learner_node.threads == 3
    assert settings.task.weights["upright"] == 0.5
    assert settings.learner.batch_size == 8
    assert settings.planner.rollouts == settings_for("cartpole_swingup").planner.rollouts


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"horizont": 20}, "no node has a parameter horizont"),
        ({"horizon": 0}, "horizon must lie in"),
        ({"reward.upright": 9.0}, r"reward\.upright must lie in"),
    ],
)
def test_bad_overrides_are_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(PoloError, match=message):
        settings_for("cartpole_swingup", overrides=overrides)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("horizon:=20", ("horizon", 20)),
        ("noise:=white", ("noise", "white")),
        ("hidden:=[8, 8]", ("hidden", [8, 8])),
        ("weights_file:=", ("weights_file", None)),
    ],
)
def test_overrides_are_read_as_ros_2_writes_them(text: str, expected: tuple[str, Any]) -> None:
    assert parse_overrides([text]) == dict([expected])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horizon=20", "'horizon=20' is not of the form name:=value"),
        ("hidden:=[8", r"the value of 'hidden:=\[8' is not valid YAML"),
    ],
)
def test_an_override_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(PoloError, match=message):
        parse_overrides([text])


def test_a_file_without_a_task_serves_any_task(tmp_path: Path) -> None:
    path = write(tmp_path / "file.yaml", {"/**/planner_node": {"ros__parameters": {"horizon": 20}}})
    for name in ("cartpole_swingup", "pointmass_box"):
        settings = settings_for(name, path)
        assert (settings.task.name, settings.planner.horizon) == (name, 20)
