"""Plans, rollouts, reward terms, diagnostics and pushes as messages."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.nodes import messages
from polo_ros.planner import Plan
from polo_ros.tasks import Task

STAMP = 1_234_567_890_123_456_789  # ns
BODY = FreeBody("torso", qpos=0, qvel=0)


def test_a_plan_holds_efforts_by_joint_in_absolute_time(cartpole: Task) -> None:
    plan = Plan(start=12.5, spacing=0.3, knots=np.array([[0.1], [-0.2], [1.0], [0.5]]), interpolation="cubic")
    message = messages.pack_plan(JointMapping(cartpole.model), plan, plan.knots)
    assert messages.from_stamp(message.header.stamp) == 12_500_000_000
    assert message.header.frame_id == "interpolation:cubic"
    assert message.joint_names == ["slider"]
    assert_allclose([point.effort[0] for point in message.points], [1.0, -2.0, 10.0, 5.0])
    after = [point.time_from_start.sec * 10**9 + point.time_from_start.nanosec for point in message.points]
    assert after == [0, 300_000_000, 600_000_000, 900_000_000]


def test_traces_show_the_best_one_thick_and_red() -> None:
    positions = np.random.default_rng(0).normal(size=(30, 5, 3))
    returns = np.linspace(3.0, -3.0, 30)
    message = messages.pack_traces(positions, returns, STAMP, most=4)
    assert [marker.id for marker in message.markers] == [3, 2, 1, 0]
    worst, best = message.markers[0], message.markers[-1]
    assert best.ns == "best" and best.scale.x > worst.scale.x
    assert (best.color.r, best.color.b, worst.color.r, worst.color.b) == (1.0, 0.0, 0.0, 1.0)
    assert_allclose(messages.unpack_traces(message).best, positions[0])
    assert all(marker.header.frame_id == "odom" for marker in message.markers)


def test_a_long_trace_is_thinned_and_keeps_its_ends() -> None:
    positions = np.random.default_rng(0).normal(size=(2, 65, 3))
    best = messages.unpack_traces(messages.pack_traces(positions, np.array([1.0, 0.0]), STAMP)).best
    assert len(best) == 25
    assert_allclose(best[[0, -1]], positions[0, [0, -1]])
    places = [np.flatnonzero((positions[0] == point).all(axis=1)).item() for point in best]
    assert set(np.diff(places)) <= {2, 3}


def test_traces_of_equal_or_no_rollouts_are_drawn_all_the_same() -> None:
    message = messages.pack_traces(np.zeros((2, 3, 3)), np.ones(2), STAMP)
    assert len(message.markers) == 2
    empty = messages.pack_traces(np.zeros((0, 3, 3)), np.ones(0), STAMP)
    assert messages.unpack_traces(empty).best.shape == (0, 3)


def test_diagnostics_name_level_and_values() -> None:
    message = messages.pack_diagnostics("planner_node", Status(Level.WARN, "late", {"plans": 3}), STAMP)
    (status,) = message.status
    assert (status.name, status.level, status.message) == ("planner_node", b"\x01", "late")
    assert [(pair.key, pair.value) for pair in status.values] == [("plans", "3")]
    assert messages.from_stamp(message.header.stamp) == STAMP


def test_a_plan_comes_back_as_it_was(cartpole: Task) -> None:
    joints = JointMapping(cartpole.model)
    plan = Plan(start=12.5, spacing=0.3, knots=np.array([[0.1], [-0.2], [1.0], [0.5]]), interpolation="cubic")
    back = messages.unpack_plan(joints, messages.pack_plan(joints, plan, plan.knots))
    assert (back.start, back.interpolation) == (12.5, "cubic")
    assert_allclose(back.spacing, 0.3)
    assert_allclose(back.knots, plan.knots)


def test_a_plan_that_is_none_is_refused(cartpole: Task) -> None:
    joints = JointMapping(cartpole.model)
    plan = Plan(0.0, 0.3, np.zeros((3, 1)), "cubic")
    message = messages.pack_plan(joints, plan, plan.knots)
    message.points[2].time_from_start.sec = 5
    with pytest.raises(PoloError, match="not at equal times"):
        messages.unpack_plan(joints, message)
    message.header.frame_id = "interpolation:wavy"
    with pytest.raises(PoloError, match="interpolation 'wavy'"):
        messages.unpack_plan(joints, message)
    message.joint_names = ["elbow"]
    with pytest.raises(PoloError, match="expected slider"):
        messages.unpack_plan(joints, message)


def test_traces_come_back_with_their_colours() -> None:
    positions = np.random.default_rng(0).normal(size=(3, 5, 3))
    traces = messages.unpack_traces(messages.pack_traces(positions, np.array([3.0, 2.0, 1.0]), STAMP))
    assert_allclose(traces.best, positions[0])
    assert_allclose(traces.paths, positions[:0:-1])
    assert_allclose(traces.colours, [[0.0, 76.5, 255.0], [127.5, 76.5, 127.5]], atol=0.01)


def test_numbers_come_back_by_name() -> None:
    message = messages.pack_numbers({"height": 1.5, "control": -0.5})
    assert messages.unpack_numbers(message, "reward terms") == {"height": 1.5, "control": -0.5}
    message.layout.dim[0].label = "height"
    assert messages.unpack_numbers(message, "reward terms") == {}


def test_a_push_comes_back_with_its_body() -> None:
    force, torque = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    body, wrench = messages.unpack_push(messages.pack_push("torso", force, torque, STAMP))
    assert body == "torso"
    assert_allclose(wrench, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    for bad in (np.nan, 1e9):
        with pytest.raises(PoloError, match="a push must be finite and at most"):
            messages.unpack_push(messages.pack_push("torso", np.full(3, bad), torque, STAMP))
