"""Receiving the topics of a robot's state."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState

from polo_ros.arrays import Array, Mask
from polo_ros.control.imu import ImuMounting
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import CMD_VEL, GOAL, IMU, JOINTS, VELOCITY_GOAL
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import (
    from_stamp,
    further_joints,
    unpack_cmd_vel,
    unpack_goal,
    unpack_imu,
    unpack_joint_state,
    unpack_odometry,
    unpack_velocity_goal,
)
from polo_ros.nodes.messages.limits import MOST_JOINTS, check_size
from polo_ros.tasks.goals import VELOCITY


class StateParts(Protocol):
    """Where the parts of a state go: a controller or a `StateAssembler`."""

    def odometry_topics(self) -> list[str]:
        """The odometry that `add_odometry` takes."""

    def add_joints(self, positions: Array, velocities: Array, stamp: int) -> object:
        """Take joint positions and velocities, NaN where one is missing."""

    def add_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> object:
        """Take the pose and velocity of a free body."""

    def add_imu(self, quaternion: Array, velocity: Array, stamp: int) -> object:
        """Take the base's orientation and angular velocity."""

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> object:
        """Take a goal."""

    def add_velocity_goal(self, velocity: Array, stamp: int) -> object:
        """Take a velocity goal."""

    def command_velocity(self, velocity: Array, stamp: int) -> object:
        """Take a velocity goal that expires."""


class StateReceiver:
    """Unpacks each message of a state once and hands it on.

    Args:
      joints: names and addresses.
      parts: takes the unpacked parts.
      on_part: called with what `parts` answered.
      on_fault: called with the sentence about a bad message.
      twist_frame: of odometry, "child" or "world".
      say: called once with a sentence about each deviation of a driver that is accepted: joints that are not
        the robot's, velocities that are left out.
      mounting: of the imu; None where none is used.
      differentiate: whether velocities that are left out are found from positions, or refused.

    Attributes:
      faults: what is wrong with the newest message of a topic, for each topic where something is.
    """

    def __init__(
        self,
        joints: JointMapping,
        parts: StateParts,
        on_part: Callable[[Any], None],
        on_fault: Callable[[str], None],
        twist_frame: str = "child",
        say: Callable[[str], object] = lambda _: None,
        mounting: ImuMounting | None = None,
        differentiate: bool = True,
    ) -> None:
        self.faults: dict[str, str] = {}
        self._joints = joints
        self._parts = parts
        self._on_part = on_part
        self._on_fault = on_fault
        self._twist_frame = twist_frame
        self._say = say
        self._mounting = mounting
        self._differentiate = differentiate
        self._differentiated = False
        self._measured = np.zeros(len(joints.joint_names), dtype=bool)  # which velocities have ever come
        self._further: set[str] = set()
        self._received = False

    def state_topics(self) -> Iterator[tuple[type[Any], str, Callable[[Any], None]]]:
        """Message type, topic and callback of everything but goals; odometry may come serialised."""
        yield JointState, JOINTS, partial(self._receive, JOINTS, self._add_joints)
        for topic in self._parts.odometry_topics():
            yield Odometry, topic, partial(self._receive, topic, partial(self._add_odometry, topic))
        if self._mounting is not None:
            yield Imu, IMU, partial(self._receive, IMU, partial(self._add_imu, self._mounting))

    def goal_topics(self, kinds: Collection[str]) -> Iterator[tuple[type[Any], str, Callable[[Any], None]]]:
        """Message type, topic and callback of the goals that are a part of the state.

        Args:
          kinds: of goals that the task has; the topic of poses is always there.
        """
        yield PoseStamped, GOAL, self._on_goal
        if VELOCITY in kinds:
            yield TwistStamped, VELOCITY_GOAL, self._on_velocity_goal

    def _on_goal(self, message: PoseStamped) -> None:
        self._receive(GOAL, lambda goal: self._parts.add_goal(*unpack_goal(goal)), message)

    def _on_velocity_goal(self, message: TwistStamped) -> None:
        add = self._parts.add_velocity_goal
        self._receive(VELOCITY_GOAL, lambda goal: add(*unpack_velocity_goal(goal)), message)

    def on_cmd_vel(self, message: Twist | TwistStamped, now: int) -> None:
        """Take a message of a user's velocity goal that came at a time in ns."""

        def command(goal: Twist | TwistStamped) -> object:
            found = unpack_cmd_vel(goal, self._joints.base, now)
            return self._parts.command_velocity(found.velocity, found.stamp)

        self._receive(CMD_VEL, command, message)

    def _receive(self, topic: str, add: Callable[[Any], object], message: Any) -> None:
        try:
            answer = add(message)
        except PoloError as error:
            self.faults[topic] = str(error)
            self._on_fault(str(error))
            return
        self.faults.pop(topic, None)
        self._on_part(answer)

    def _add_joints(self, message: JointState) -> object:
        check_size(len(message.name), MOST_JOINTS, "joint_states, names")
        try:
            positions, velocities = unpack_joint_state(self._joints, message)
        except PoloError:
            # a message without the robot's joints is of another device, such as a gripper, if theirs come as
            # well
            if not self._received or not set(message.name).isdisjoint(self._joints.joint_names):
                raise
            self._name_further(message)
            return False
        self._received = True
        self._name_further(message)
        self._check_velocities(np.isnan(velocities))
        return self._parts.add_joints(positions, velocities, from_stamp(message.header.stamp))

    def _check_velocities(self, missing: Mask) -> None:
        """Refuse missing velocities, or say once that positions are differentiated in their place."""
        self._measured |= ~missing
        if not missing.any():
            return
        names = ", ".join(np.array(self._joints.joint_names)[missing])
        if (missing & self._measured).any():  # the sensor has failed: this driver does publish velocities
            raise PoloError(f"{JOINTS} has no velocity of {names}, which it had before")
        if not self._differentiate:
            raise PoloError(
                f"{JOINTS} has no velocity of {names}; publish it, or set missing_velocities: differentiate"
            )
        if not self._differentiated:
            self._differentiated = True
            self._say(f"{JOINTS} has no velocity of {names}: positions are differentiated")

    def _name_further(self, message: JointState) -> None:
        """Name joints that are ignored, each once."""
        further = set(further_joints(self._joints, message)) - self._further
        if further and len(self._further) < MOST_JOINTS:  # ever new names must not fill memory and log
            self._further |= further
            names = ", ".join(sorted(further))
            self._say(f"{JOINTS} has joints that are not the robot's and are ignored: {names}")

    def _add_odometry(self, topic: str, message: Odometry | bytes) -> object:
        return self._parts.add_odometry(topic, *unpack_odometry(message, topic, self._twist_frame))

    def _add_imu(self, mounting: ImuMounting, message: Imu) -> object:
        quaternion, velocity = unpack_imu(message)
        of_base = mounting.to_base(quaternion, velocity, message.header.frame_id)
        return self._parts.add_imu(*of_base, from_stamp(message.header.stamp))
