"""Assembling a state from its parts."""

import numpy as np

from polo_ros.nodes.robot import Robot
from polo_ros.nodes.state import StateAssembler, object_topic
from polo_ros.tasks import Task


def assembler(task: Task, lockstep: bool) -> StateAssembler:
    return StateAssembler(task, Robot(task.model), lockstep)


POSE = np.array([0.1, 0.2, 0.3, 0.5, 0.5, -0.5, 0.5])


def test_a_fixed_robot_needs_its_joints_alone(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=True)
    assert states.topics() == states.missing() == ["joint_states"]
    assert states.snapshot() is None
    states.set_joints(np.array([0.5, 3.0]), np.array([-1.0, 2.0]), stamp=7)
    assert states.missing() == []
    snapshot = states.snapshot()
    assert snapshot is not None
    assert (list(snapshot.state), snapshot.stamp) == ([0.5, 3.0, -1.0, 2.0], 7)
    assert list(states.joint_velocities()) == [-1.0, 2.0]


def test_a_floating_robot_needs_joints_and_odometry(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=True)
    assert states.missing() == ["joint_states", "odom"]
    states.set_joints(np.arange(21.0), -np.arange(21.0), stamp=5)
    assert states.missing() == ["odom"]
    assert states.snapshot() is None
    states.set_odometry("odom", POSE, np.arange(6.0), stamp=5)
    snapshot = states.snapshot()
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.state, [*POSE, *range(21), *range(6), *(-np.arange(21.0))])


def test_in_lockstep_all_parts_are_of_one_moment(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=True)
    states.set_joints(np.zeros(21), np.zeros(21), stamp=5)
    states.set_odometry("odom", POSE, np.zeros(6), stamp=6)
    assert states.snapshot() is None
    states.set_joints(np.zeros(21), np.zeros(21), stamp=6)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 6


def test_in_real_time_a_state_is_as_old_as_its_oldest_part(humanoid_getup: Task) -> None:
    states = assembler(humanoid_getup, lockstep=False)
    states.set_joints(np.zeros(21), np.zeros(21), stamp=5)
    states.set_odometry("odom", POSE, np.zeros(6), stamp=9)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 5


def test_forgotten_parts_are_missing_again(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=False)
    states.set_joints(np.zeros(2), np.zeros(2), stamp=5)
    states.clear()
    assert states.missing() == ["joint_states"]
    assert states.snapshot() is None


def test_a_snapshot_does_not_change_with_what_arrives_later(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=False)
    states.set_joints(np.array([1.0, 2.0]), np.zeros(2), stamp=5)
    snapshot = states.snapshot()
    states.set_joints(np.array([3.0, 4.0]), np.zeros(2), stamp=6)
    assert snapshot is not None
    assert (list(snapshot.state[:2]), snapshot.stamp) == ([1.0, 2.0], 5)


def test_the_topic_of_a_free_object() -> None:
    assert object_topic("box") == "objects/box/odom"


def test_a_goal_without_a_mocap_body_is_of_no_consequence(cartpole: Task) -> None:
    states = assembler(cartpole, lockstep=False)
    states.set_joints(np.zeros(2), np.zeros(2), stamp=5)
    states.set_goal(np.ones(3), np.array([1.0, 0.0, 0.0, 0.0]))
    snapshot = states.snapshot()
    assert snapshot is not None
    np.testing.assert_array_equal(snapshot.state, np.zeros(4))
