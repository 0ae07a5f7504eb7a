"""Packing and unpacking of every message: orders, frames and units are converted here alone."""

from polo_ros.control import NANOSECONDS
from polo_ros.nodes.messages.commands import pack_command, pack_trajectory, unpack_command
from polo_ros.nodes.messages.displays import (
    Traces,
    pack_diagnostics,
    pack_numbers,
    pack_plan,
    pack_traces,
    unpack_numbers,
    unpack_plan,
    unpack_traces,
)
from polo_ros.nodes.messages.experience import (
    check_schema,
    pack_bytes,
    pack_experience,
    unpack_bytes,
    unpack_experience,
)
from polo_ros.nodes.messages.geometry import RobotMarkers
from polo_ros.nodes.messages.pushes import pack_push, unpack_push
from polo_ros.nodes.messages.stamps import from_stamp, to_stamp
from polo_ros.nodes.messages.states import (
    further_joints,
    pack_goal,
    pack_imu,
    pack_joint_state,
    pack_odometry,
    pack_transform,
    pack_velocity_goal,
    unpack_cmd_vel,
    unpack_goal,
    unpack_imu,
    unpack_joint_state,
    unpack_odometry,
    unpack_velocity_goal,
)

__all__ = [
    "NANOSECONDS",
    "RobotMarkers",
    "Traces",
    "check_schema",
    "from_stamp",
    "further_joints",
    "pack_bytes",
    "pack_command",
    "pack_diagnostics",
    "pack_experience",
    "pack_goal",
    "pack_imu",
    "pack_joint_state",
    "pack_numbers",
    "pack_odometry",
    "pack_plan",
    "pack_push",
    "pack_traces",
    "pack_trajectory",
    "pack_transform",
    "pack_velocity_goal",
    "to_stamp",
    "unpack_bytes",
    "unpack_cmd_vel",
    "unpack_command",
    "unpack_experience",
    "unpack_goal",
    "unpack_imu",
    "unpack_joint_state",
    "unpack_numbers",
    "unpack_odometry",
    "unpack_plan",
    "unpack_push",
    "unpack_traces",
    "unpack_velocity_goal",
]
