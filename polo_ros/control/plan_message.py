"""A plan from the message that carries it, received by a node or read from a bag."""

from typing import Any

import numpy as np

from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.planner import Plan
from polo_ros.planner.config import INTERPOLATIONS


def read_plan(joints: JointMapping, message: Any) -> Plan:
    """The plan of a trajectory_msgs/JointTrajectory, an object of ROS 2 or of rosbags.

    Raises:
      PoloError: it has no points, other joints than the robot's, uneven times, an unknown interpolation or a
        value that is not finite.
    """
    if list(message.joint_names) != joints.command_joints:
        raise PoloError(
            f"the plan is of joints {', '.join(message.joint_names)}; expected "
            f"{', '.join(joints.command_joints)}"
        )
    interpolation = message.header.frame_id.removeprefix("interpolation:")
    if not len(message.points) or interpolation not in INTERPOLATIONS:
        raise PoloError(f"the plan has {len(message.points)} points and interpolation '{interpolation}'")
    rows = [p.positions if joints.position_controlled else p.effort for p in message.points]
    if any(len(row) != len(joints.command_joints) for row in rows):
        raise PoloError("the plan has points without a value for each joint")
    knots = np.array([joints.ctrl(np.array(row)) for row in rows])
    after = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]
    spacing = after[-1] / (len(after) - 1) if len(after) > 1 else 1.0
    if not spacing > 0.0 or np.abs(np.array(after) - spacing * np.arange(len(after))).max() > 1e-6:
        raise PoloError("the plan's points are not at equal times")
    stamp = message.header.stamp
    start = (stamp.sec * NANOSECONDS + stamp.nanosec) / NANOSECONDS
    return Plan(start, spacing, knots, interpolation)
