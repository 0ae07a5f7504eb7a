"""Bad input to running nodes gets one clear sentence, and nothing is lost."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hardware import Hardware
from harness import LATCHED, Graph
from std_msgs.msg import UInt8MultiArray

from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value
from polo_ros.nodes.messages import pack_bytes
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks import make_task


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


def test_experience_of_another_model_is_refused_by_the_learner(graph: Graph) -> None:
    """Same sizes, another gear: what was earned there would be wrong here."""
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True, torque_scale=0.5)
    graph.start("learner_node", update_period=1)
    graph.wait_says("learner_node", "experience is of model_hash")
    graph.wait_says("learner_node", "start planner and learner with the same task, model and torque_scale")
    assert graph.reported("learner_node", "weights_sequence") == 0
