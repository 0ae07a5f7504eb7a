"""Assembling a state from its parts."""

import numpy as np
import pytest

from polo_ros.control.joints import JointMapping
from polo_ros.control.state import StateAssembler, object_topic
from polo_ros.errors import PoloError
from polo_ros.tasks import Task, make_task


def assembler(task: Task, lockstep: bool) -> StateAssembler:
    return StateAssembler(task, JointMapping(task.model), lockstep)


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
    assert list(states.velocities()) == [-1.0, 2.0]


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
