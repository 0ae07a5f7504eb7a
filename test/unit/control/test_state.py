"""Assembling a state from its parts."""

import numpy as np
import pytest

from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import KEPT_SPAN_NS, RecentSamples, Sample
from polo_ros.control.state import StateAssembler, object_topic
from polo_ros.errors import PoloError
from polo_ros.tasks import Task, make_task


def assembler(task: Task, lockstep: bool) -> StateAssembler:
    return StateAssembler(task, JointMapping(task.model), lockstep)


MILLISECOND = 1_000_000
POSE = np.array([0.1, 0.2, 0.3, 0.5, 0.5, -0.5, 0.5])


def test_a_fixed_robot_needs_its_joints_alone(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=True)
    assert states.missing() == ["joint_states"]
    assert states.snapshot() is None
    states.add_joints(np.array([0.5, 3.0]), np.array([-1.0, 2.0]), stamp=7)
    assert states.missing() == []
    snapshot = states.snapshot()
    assert snapshot is not None
    assert (list(snapshot.state), snapshot.stamp) == ([0.5, 3.0, -1.0, 2.0], 7)
    assert [list(part) for part in states.newest()] == [[0.5, 3.0], [-1.0, 2.0]]


def test_a_floating_robot_needs_joints_and_odometry(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=True)
    assert states.missing() == ["joint_states", "odom"]
    states.add_joints(np.arange(21.0), -np.arange(21.0), stamp=5)
    assert states.missing() == ["odom"]
    assert states.snapshot() is None
    states.add_odometry("odom", POSE, np.arange(6.0), stamp=5)
    snapshot = states.snapshot()
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.state, [*POSE, *range(21), *range(6), *(-np.arange(21.0))])


def test_in_lockstep_all_parts_are_of_one_moment(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=True)
    states.add_joints(np.zeros(21), np.zeros(21), stamp=5)
    states.add_odometry("odom", POSE, np.zeros(6), stamp=6)
    assert states.snapshot() is None
    states.add_joints(np.zeros(21), np.zeros(21), stamp=6)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 6


def test_in_real_time_a_state_is_as_old_as_its_oldest_part(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    states.add_joints(np.zeros(21), np.zeros(21), stamp=5)
    states.add_odometry("odom", POSE, np.zeros(6), stamp=9)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 5


def turn(angle: float) -> np.ndarray:
    """A pose (7,) at x = `angle` m, turned by an angle in rad about z."""
    return np.array([angle, 0, 1, np.cos(angle / 2), 0, 0, np.sin(angle / 2)])


def moving(stamp: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Joints and base of a robot in even motion at a time in ms: positions and velocities of either."""
    time = 1e-3 * stamp
    return np.full(21, 2 * time), np.full(21, 2.0), turn(time), np.array([1.0, 0, 0, 0, 0, 1.0])


def add_moving(states: StateAssembler, joints: int | None, base: int | None) -> None:
    """The parts of some moments in ms."""
    if joints is not None:
        states.add_joints(*moving(joints)[:2], joints * MILLISECOND)
    if base is not None:
        states.add_odometry("odom", *moving(base)[2:], base * MILLISECOND)


def expect(states: StateAssembler, moment: int) -> None:
    """The snapshot is the robot's state at a moment in ms."""
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == moment * MILLISECOND
    joints, joint_velocities, base, base_velocity = moving(moment)
    expected = [*base, *joints, *base_velocity, *joint_velocities]
    np.testing.assert_allclose(snapshot.state, expected, rtol=0, atol=1e-9)


def test_parts_of_different_delay_are_combined_at_one_moment(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    for stamp in range(0, 80, 8):  # odometry is two periods late
        add_moving(states, stamp, stamp - 16 if stamp >= 16 else None)
    expect(states, 56)


def test_parts_of_different_rates_are_interpolated(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    for stamp in (0, 10, 20):
        add_moving(states, stamp, None)
    add_moving(states, None, 13)
    expect(states, 13)
    assert list(states.newest()[1][6:]) == [2.0] * 21


def test_a_part_that_begins_later_is_rolled_back_by_its_velocities(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    add_moving(states, 10, 14)
    expect(states, 10)


def test_late_and_doubled_messages_change_nothing(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    for stamp in (0, 8, 24, 16, 24, 8):
        add_moving(states, stamp, stamp)
        add_moving(states, stamp, None)
    expect(states, 24)
    assert states.apart() == ""


def test_parts_too_far_apart_are_no_state_and_named(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    add_moving(states, 0, 0)
    add_moving(states, 200, None)
    expect(states, 0)
    assert states.apart() == ""
    add_moving(states, 210, None)
    assert states.snapshot() is None
    assert states.apart() == "odom is 0.210 s behind joint_states, more than 0.2 s"
    add_moving(states, None, 205)
    expect(states, 205)


def test_a_clock_that_jumps_back_begins_anew_and_a_wild_stamp_does_no_lasting_harm(
    humanoid_getup: Task,
) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    add_moving(states, 1000, 1000)
    add_moving(states, 5, None)
    assert states.snapshot() is None
    add_moving(states, None, 5)
    expect(states, 5)
    add_moving(states, 1_000_000, None)
    assert "behind joint_states" in states.apart()
    add_moving(states, 13, 13)
    expect(states, 13)


def test_recent_samples_are_kept_for_their_span() -> None:
    samples = RecentSamples()
    for index in range(1000):
        samples.add(Sample(np.zeros(1), np.zeros(1), index * MILLISECOND))
    assert len(samples._samples) == KEPT_SPAN_NS // MILLISECOND + 1
    assert samples.around(799 * MILLISECOND)[0].stamp == 799 * MILLISECOND


def test_a_snapshot_does_not_change_with_what_arrives_later(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=False)
    states.add_joints(np.array([1.0, 2.0]), np.zeros(2), stamp=5)
    snapshot = states.snapshot()
    states.add_joints(np.array([3.0, 4.0]), np.zeros(2), stamp=6)
    assert snapshot is not None
    assert (list(snapshot.state[:2]), snapshot.stamp) == ([1.0, 2.0], 5)


def test_the_topic_of_a_free_object() -> None:
    assert object_topic("box") == "objects/box/odom"


@pytest.fixture
def box() -> Task:
    return make_task("humanoid_box")


def give_parts(states: StateAssembler, stamp: int) -> None:
    """Everything about the humanoid and its box but the goal."""
    states.add_joints(np.zeros(21), np.zeros(21), stamp)
    for topic in states.odometry_topics():
        states.add_odometry(topic, POSE, np.zeros(6), stamp)


def test_the_needed_odometry_is_derived_from_the_model(box: Task) -> None:
    states = assembler(box, lockstep=False)
    assert states.odometry_topics() == ["odom", "objects/box/odom"]
    assert states.missing() == ["joint_states", "odom", "objects/box/odom"]


def test_a_free_object_goes_where_its_odometry_says(box: Task) -> None:
    states = assembler(box, lockstep=False)
    give_parts(states, stamp=5)
    moved = POSE + np.array([1, 2, 3, 0, 0, 0, 0])
    states.add_odometry("objects/box/odom", moved, np.arange(6.0), stamp=5)
    snapshot = states.snapshot()
    assert snapshot is not None
    view = box.observe(snapshot.state)
    np.testing.assert_allclose(view.sensor("box_position"), moved[:3], atol=1e-12)
    np.testing.assert_allclose(view.sensor("torso_position"), POSE[:3], atol=1e-12)


def test_in_lockstep_the_goal_is_a_part_of_the_state(box: Task) -> None:
    states = assembler(box, lockstep=True)
    give_parts(states, stamp=5)
    assert states.missing() == ["goal"] and states.snapshot() is None
    states.add_goal(POSE[:3], POSE[3:], stamp=4)
    assert states.snapshot() is None  # of the moment before
    states.add_goal(POSE[:3], POSE[3:], stamp=5)
    snapshot = states.snapshot()
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.state[-7:], POSE)


def test_in_real_time_the_models_own_goal_holds_until_another_comes(box: Task) -> None:
    states = assembler(box, lockstep=False)
    give_parts(states, stamp=5)
    snapshot = states.snapshot()
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.state[-7:], [2.5, 0, 0.45, 1, 0, 0, 0])
    states.add_goal(POSE[:3], POSE[3:], stamp=0)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 5
    np.testing.assert_array_equal(snapshot.state[-7:], POSE)


def test_a_goal_for_a_task_that_has_none_is_refused(cartpole: Task) -> None:
    with pytest.raises(PoloError, match="cartpole_swingup has no goal to set"):
        assembler(cartpole, lockstep=False).add_goal(np.ones(3), POSE[3:], stamp=5)
