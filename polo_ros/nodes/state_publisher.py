"""Publishing the state of a simulated robot, as a robot's drivers do."""

from __future__ import annotations

from collections import deque
from typing import Any

from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.publisher import Publisher
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.simulated_robot import SimulatedRobot
from polo_ros.control.state import GOAL, JOINTS, VELOCITY_GOAL, odometry_bodies
from polo_ros.nodes.messages import pack_goal, pack_velocity_goal
from polo_ros.nodes.messages.serialized import SerializedClock, SerializedJointState, SerializedOdometry
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import LATCHED, RELIABLE
from polo_ros.nodes.transforms import Transforms
from polo_ros.tasks.goals import POSE, VELOCITY

# a goal comes with every state: so many are queued that a user's goal is not pushed out
GOAL_QUEUE = 100


class StatePublisher:
    """Publishes clock, goal, odometry, frames and joint states of one moment.

    Args:
      node: publishes them; its task is what is simulated.
      joints: names and addresses of the robot.
    """

    def __init__(self, node: PoloNode, joints: JointMapping) -> None:
        self._task = node.task
        self._joints = joints
        overrides = QoSOverridingOptions.with_default_policies()
        self._clock = node.create_publisher(ClockMessage, "/clock", 1)
        self._joint_states = node.create_publisher(
            JointState, JOINTS, RELIABLE, qos_overriding_options=overrides
        )
        self._serialized_clock = SerializedClock()
        self._serialized_joints = SerializedJointState(joints)
        sizes = joints.model.nq, joints.model.nv
        self._odometry: list[tuple[SerializedOdometry, Publisher[Odometry]]] = [
            (
                SerializedOdometry(body, sizes),
                node.create_publisher(Odometry, topic, RELIABLE, qos_overriding_options=overrides),
            )
            for topic, body in odometry_bodies(joints).items()
        ]
        self._transforms = Transforms(node, list(odometry_bodies(joints).values()))
        kinds = node.task.goals.kinds
        self._goal = node.create_publisher(PoseStamped, GOAL, LATCHED) if POSE in kinds else None
        self._velocity_goal = (
            node.create_publisher(TwistStamped, VELOCITY_GOAL, RELIABLE) if VELOCITY in kinds else None
        )
        # the node receives its own goals, too; what was published last tells them from a user's
        self._own_goals: deque[tuple[int, tuple[float, ...]]] = deque(maxlen=2 * GOAL_QUEUE)

    @property
    def clock_topic(self) -> str:
        """With its namespace."""
        return str(self._clock.topic_name)

    def publish(self, robot: SimulatedRobot, data: Any) -> None:
        """Publish the present state, unless it gets lost on purpose.

        Args:
          robot: measured.
          data: the mujoco.MjData of its world, for the goal.
        """
        stamp = robot.time
        self.publish_time(stamp)
        measured = robot.measure()
        if measured is None:
            return
        qpos, qvel = measured
        if self._goal:
            self._publish_goal(self._goal, data, stamp)
        if self._velocity_goal:
            velocity = data.mocap_pos[self._task.goals.index(VELOCITY)]
            base = self._joints.base.name if self._joints.base else ""
            self._velocity_goal.publish(pack_velocity_goal(velocity, stamp, base))
        for serialized, publisher in self._odometry:
            publisher.publish(serialized.at(stamp, qpos, qvel))
        self._transforms.publish(qpos, stamp)
        self._joint_states.publish(self._serialized_joints.at(stamp, qpos, qvel))

    def publish_time(self, stamp: int) -> None:
        """Publish the robot's time, in ns."""
        self._clock.publish(self._serialized_clock.at(stamp))

    def _publish_goal(self, publisher: Publisher[PoseStamped], data: Any, stamp: int) -> None:
        """With every state, so that in lockstep no plan is made for an earlier goal."""
        index = self._task.goals.index(POSE)
        position, quaternion = data.mocap_pos[index], data.mocap_quat[index]
        self._own_goals.append((stamp, (*position, *quaternion)))
        publisher.publish(pack_goal(position, quaternion, stamp))

    def published_goal(self, position: Array, quaternion: Array, stamp: int) -> bool:
        """Whether a goal, its stamp in ns, is one of those published here, and no user's."""
        return (stamp, (*position, *quaternion)) in self._own_goals
