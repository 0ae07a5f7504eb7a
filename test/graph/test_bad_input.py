"""Bad input gets one clear sentence, and nothing is lost."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hardware import Hardware
from harness import EVERYTHING, LATCHED, Graph, stamps
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray

from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value
from polo_ros.nodes.messages import pack_bytes, pack_command
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks import make_task

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


def make_value(task_name: str = "cartpole_swingup") -> ValueEnsemble:
    """An untrained value function of a task."""
    return Learner(make_task(task_name), LearnerConfig()).value()


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hardware]:
    """A planner that commands, with a driver."""
    with Graph(tmp_path_factory.mktemp("planning")) as graph:
        hardware = Hardware(graph, autostart=True)
        hardware.wait_for_motion()
        yield hardware


def wait_for_log(graph: Graph, text: str) -> None:
    """Until the planner has logged a text."""
    graph.wait(lambda: text in graph.log("planner_node"), f"'{text}' in the planner's log")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"names": ["slider", "elbow"]},
            "joint_states: missing joint hinge; expected slider, hinge; it also has elbow",
        ),
        ({"positions": [0.0, float("nan")]}, "joint_states: position of hinge is nan"),
        ({"velocities": []}, "joint_states has no velocity of slider, hinge, which it had before"),
        ({"velocities": [0.0, float("nan")]}, "joint_states has no velocity of hinge, which it had before"),
        ({"velocities": [0.0]}, "joint_states has 1 of velocity for 2 joints"),
    ],
)
def test_a_bad_state_is_named_and_never_planned_from(
    planning: Hardware, changes: dict[str, Any], sentence: str
) -> None:
    """One fault of each kind; `test_messages` has all of them."""
    good = {name: getattr(planning.driver, name) for name in changes}
    for name, value in changes.items():
        setattr(planning.driver, name, value)
    try:
        wait_for_log(planning.graph, sentence)
        planning.wait_for_rest()
        planning.graph.wait_says("planner_node", sentence)
    finally:
        for name, value in good.items():
            setattr(planning.driver, name, value)
    planning.wait_for_motion()


def test_further_joints_are_ignored_and_named_once(planning: Hardware) -> None:
    driver, log = planning.driver, planning.graph.log
    driver.names, driver.positions, driver.velocities = (
        ["finger", "slider", "hinge"], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0],
    )  # fmt: skip
    try:
        wait_for_log(
            planning.graph, "joint_states has joints that are not the robot's and are ignored: finger"
        )
        planning.wait_for_motion()
        assert planning.forces(20)
        assert log("planner_node").count("finger") == 1
    finally:
        driver.names, driver.positions, driver.velocities = ["slider", "hinge"], [0.0, 3.0], [0.0, 0.0]


def test_a_driver_that_stays_bad_does_not_fill_the_log(planning: Hardware) -> None:
    """A doubled joint at 50 Hz used to be 43 lines a second where another topic was good in between."""
    planning.driver.names = ["slider", "slider"]
    try:
        planning.graph.wait_says("planner_node", "joint_states: doubled joint slider")
        before = planning.graph.log("planner_node").count("\n")
        planning.graph.wait_says("planner_node", "joint_states: doubled joint slider")
        assert planning.graph.log("planner_node").count("\n") - before <= 6
    finally:
        planning.driver.names = ["slider", "hinge"]
    planning.wait_for_motion()


def poisoned(value: ValueEnsemble) -> ValueEnsemble:
    """The same value function with one number that is not finite."""
    first = value.network[0]
    weight = first.weight.copy()
    weight[0, 0, 0] = np.nan
    return replace(value, network=(Layer(weight, first.bias), *value.network[1:]))


# how to make weights that must be refused from an origin that is newer than the present one
BAD_WEIGHTS: list[tuple[Callable[[Origin], bytes], str]] = [
    (lambda _: b"garbage", "the weights are corrupted"),
    (
        lambda origin: encode_value(make_value("humanoid_getup"), replace(origin, task="humanoid_getup")),
        "the weights are of task humanoid_getup, not cartpole_swingup",
    ),
    (
        lambda origin: encode_value(make_value(), replace(origin, model_hash="0123")),
        "the weights are of another model (0123, not ",
    ),
    (
        lambda origin: encode_value(make_value("humanoid_getup"), origin),
        "the weights take 34 features but task cartpole_swingup has 5",
    ),
    (
        lambda origin: encode_value(poisoned(make_value()), origin),
        "the weights hold non-finite numbers in network.weight0",
    ),
    (
        lambda origin: encode_value(replace(make_value(), feature_mean=np.zeros(3)), origin),
        "the weights have feature_mean of shape (3,), not (5)",
    ),
    (
        lambda origin: encode_value(make_value(), replace(origin, sequence=4)),
        "weights 4 of epoch 1000 are older than the present 5 of that epoch",
    ),
    (
        lambda origin: encode_value(make_value(), replace(origin, discount=0.9)),
        "the weights are of discount 0.9, not 0.99",
    ),
    (
        lambda origin: encode_value(make_value(), origin).replace(b'"F32"', b'"I32"'),
        "network.bias0 has type I32, not one of F32, F64, U8",
    ),
]


def test_bad_weights_are_refused_by_name_and_the_last_good_ones_stay(planning: Hardware) -> None:
    graph, task = planning.graph, make_task("cartpole_swingup")
    good = Origin(task.name, task.model_hash(), epoch=1000, sequence=5)
    publisher = graph.node.create_publisher(UInt8MultiArray, "value_function/weights", LATCHED)
    publisher.publish(pack_bytes(encode_value(make_value(), good)))
    graph.wait(lambda: graph.reported("planner_node", "weights_sequence") == 5, "good weights")
    for make, sentence in BAD_WEIGHTS:
        publisher.publish(pack_bytes(make(replace(good, sequence=6))))
        wait_for_log(graph, sentence)
        assert graph.log("planner_node").strip().endswith("; the last good weights stay")
    planning.wait_for_motion()
    graph.wait(
        lambda: graph.reported("planner_node", "refused_weights") == len(BAD_WEIGHTS), "count of refusals"
    )
    assert graph.reported("planner_node", "weights_sequence") == 5
    assert graph.reported("planner_node", "weights_epoch") == 1000


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("horizon", 0, "horizon"),
        ("temperature", -1.0, "temperature"),
        ("rollouts", 3, "rollouts 3 are too few for 4 knots; use at least 6"),
        ("noise_knots", 32, "rollouts 20 are too few for 32 knots; use at least 34"),
        ("horizon", 3, "noise_knots 4 exceeds horizon 3; use at most one knot per step"),
        ("noise", "pink", "noise must be one of white, filtered, knots, not 'pink'"),
        ("rollouts", 2.5, "Wrong parameter type"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_reason(
    planning: Hardware, name: str, value: object, reason: str
) -> None:
    (result,) = planning.graph.set("planner_node", **{name: value})
    assert not result.successful
    assert reason in result.reason
    wait_for_log(planning.graph, f"refused parameter {name}: {result.reason}")
    planning.wait_for_motion()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Generator[Graph]:
    with Graph(tmp_path_factory.mktemp("simulator")) as graph:
        graph.start("simulator_node")
        yield graph


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (Float64MultiArray(data=[1.0, 2.0]), "a command has 2 values for 1 joints; send one each for slider"),
        (Float64MultiArray(), "a command has 0 values for 1 joints; send one each for slider"),
        (Float64MultiArray(data=[float("nan")]), "the command for slider is nan"),
    ],
)
def test_a_bad_command_is_named_and_does_not_step(
    simulator: Graph, message: Float64MultiArray, sentence: str
) -> None:
    check_command(simulator, message, sentence)


def test_a_bad_label_is_named_and_does_not_step(simulator: Graph) -> None:
    message = pack_command(np.zeros(1), 0)
    message.layout.dim = [MultiArrayDimension(label="answers_stamp_ns=soon")]
    check_command(simulator, message, "the command's label 'answers_stamp_ns=soon' must end in a stamp in ns")


def check_command(graph: Graph, message: Float64MultiArray, sentence: str) -> None:
    """Send a bad command, then a good one: only the latter steps the world."""
    states = graph.record(JointState, "joint_states")
    commands = graph.node.create_publisher(Float64MultiArray, "effort_controller/commands", EVERYTHING)
    graph.wait(lambda: states and commands.get_subscription_count(), "simulator")
    start = stamps(states)[-1]
    commands.publish(message)
    graph.wait_says("simulator_node", sentence)
    assert stamps(states)[-1] == start
    commands.publish(pack_command(np.zeros(1), start))
    graph.wait(lambda: stamps(states)[-1] > start, "step")
    assert stamps(states)[-1] == start + 20_000_000
    graph.node.destroy_publisher(commands)


def test_a_second_simulator_is_refused(simulator: Graph) -> None:
    states = simulator.record(JointState, "joint_states")
    simulator.wait(lambda: states, "the first simulator")
    simulator.start("simulator_node", "second")
    assert simulator.exit_code("second") == 1
    assert "another node publishes /joint_states already; stop it" in simulator.log("second")
    assert "Traceback" not in simulator.log("second")
    seen = len(states)
    simulator.wait(lambda: len(states) > seen, "the first simulator to go on")


def test_a_second_simulator_may_have_a_namespace_of_its_own(simulator: Graph) -> None:
    states = simulator.record(JointState, "/other/joint_states")
    simulator.start("simulator_node", "other", namespace="/other")
    simulator.wait(lambda: states, "the other simulator")
    assert simulator.end("other") == 0


def test_experience_of_another_model_is_refused_by_the_learner(graph: Graph) -> None:
    """Same sizes, another gear: what was earned there would be wrong here."""
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True, torque_scale=0.5)
    graph.start("learner_node", update_period=1)
    graph.wait_says("learner_node", "experience is of model_hash")
    graph.wait_says("learner_node", "start planner and learner with the same task, model and torque_scale")
    assert graph.reported("learner_node", "weights_sequence") == 0
