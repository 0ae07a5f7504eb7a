"""Velocity goals that users command: what they say, how long they count, and what is refused."""

from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped

from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.config import SimulatorNodeConfig
from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.control.simulated_robot import SimulatedRobot
from polo_ros.control.state import StateAssembler
from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_fields
from polo_ros.nodes.messages import (
    pack_velocity_goal,
    unpack_cmd_vel,
    unpack_goal,
    unpack_velocity_goal,
)
from polo_ros.tasks import Task
from test.support.quadruped import Trot

WANTED = np.array([0.5, -0.25, 0.125])
BASE = FreeBody("trunk", 0, 0)
NOW = 7 * NANOSECONDS
HALF = NANOSECONDS // 2


def twist(**given: float) -> Twist:
    """A Twist with some of its values, as in linear_x."""
    message = Twist()
    for name, value in given.items():
        part, _, axis = name.partition("_")
        setattr(getattr(message, part), axis, value)
    return message


def stamped(stamp: int = NOW, frame: str = "base_link", **given: float) -> TwistStamped:
    """The same with a header."""
    message = pack_velocity_goal(np.zeros(3), stamp, frame)
    message.twist = twist(**given)
    return message


def test_a_twist_is_of_the_moment_at_which_it_comes() -> None:
    command = unpack_cmd_vel(twist(linear_x=0.5, linear_y=-0.25, angular_z=0.125), BASE, NOW)
    assert (command.velocity.tolist(), command.stamp) == (WANTED.tolist(), NOW)


@pytest.mark.parametrize("frame", ["", "base_link", "trunk", "robot1/base_link"])
def test_a_stamped_twist_is_of_its_stamp(frame: str) -> None:
    message = pack_velocity_goal(WANTED, NOW - HALF, frame)
    command = unpack_cmd_vel(message, BASE, NOW)
    assert (command.velocity.tolist(), command.stamp) == (WANTED.tolist(), NOW - HALF)
    assert unpack_velocity_goal(message)[0].tolist() == WANTED.tolist()
    assert unpack_velocity_goal(message)[1] == NOW - HALF


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (twist(linear_x=float("nan")), "cmd_vel holds a value that is not finite"),
        (stamped(angular_z=float("inf")), "cmd_vel holds a value that is not finite"),
        (twist(linear_z=0.5), "cmd_vel asks for 0.5 m/s upwards and 0 and 0 rad/s of roll and pitch; only"),
        (stamped(frame="map"), "cmd_vel is in frame 'map'; a velocity is commanded in base_link or trunk"),
        (stamped(NOW - HALF - 1), "cmd_vel is stamped 0.500 s before the clock, more than 0.5 s"),
        (stamped(NOW + NANOSECONDS), "cmd_vel is stamped 1.000 s after the clock, more than 0.5 s"),
    ],
)
def test_a_bad_velocity_is_refused(message: Any, sentence: str) -> None:
    with pytest.raises(PoloError, match=sentence):
        unpack_cmd_vel(message, BASE, NOW)


def test_a_goal_in_another_frame_than_odom_is_refused() -> None:
    message = PoseStamped()
    message.pose.orientation.w = 1.0
    for frame in ("", "odom", "robot1/odom", "world"):
        message.header.frame_id = frame
        unpack_goal(message)
    message.header.frame_id = "map"
    with pytest.raises(PoloError, match="goal is in frame 'map'; publish it in odom"):
        unpack_goal(message)


def test_a_velocity_counts_for_half_a_second_of_the_state() -> None:
    task = Trot()
    states = StateAssembler(task, JointMapping(task.model), lockstep=False)

    def goal(stamp: int) -> list[float]:
        """The goal of the state of a moment."""
        states.add_joints(np.zeros(8), np.zeros(8), stamp)
        states.add_odometry("odom", np.array([0, 0, 1, 1.0, 0, 0, 0]), np.zeros(6), stamp)
        snapshot = states.snapshot()
        assert snapshot is not None and snapshot.stamp == stamp
        return [float(value) for value in task.goal_of(snapshot.state)[:3]]

    assert goal(NOW) == [0.0] * 3
    states.command_velocity(WANTED, NOW)
    assert goal(NOW + HALF) == WANTED.tolist()
    assert goal(NOW + HALF + 1) == [0.0] * 3
    states.add_velocity_goal(2 * WANTED, NOW)  # the simulator's, which draws goals, holds
    assert goal(NOW + 2 * NANOSECONDS) == (2 * WANTED).tolist()


def test_the_simulated_robot_lets_a_velocity_expire() -> None:
    task = Trot()
    world = World(task, np.random.default_rng(0))
    robot = SimulatedRobot(
        world, task, JointMapping(task.model), SimulatorNodeConfig(control_rate=50.0), seed=0
    )
    robot.command_velocity(WANTED, robot.time)
    goals = []
    for _ in range(28):  # of 20 ms
        robot.advance(task.neutral)
        goals.append(task.goal_of(world.state)[:3].tolist())
    assert goals == [WANTED.tolist()] * 25 + [[0.0] * 3] * 3


def test_a_velocity_for_another_kind_of_task_is_refused(cartpole: Task) -> None:
    states = StateAssembler(cartpole, JointMapping(cartpole.model), lockstep=False)
    with pytest.raises(PoloError, match="task cartpole_swingup has no goal to set"):
        states.command_velocity(WANTED, NOW)


def test_experience_says_what_a_velocity_goal_is(humanoid_getup: Task) -> None:
    units = {name: unit for name, _, unit in experience_fields(Trot())}
    assert units["mocap_pos"] == "m; velocity goal: m/s, m/s, rad/s"
    assert "mocap_pos" not in {name for name, _, _ in experience_fields(humanoid_getup)}
