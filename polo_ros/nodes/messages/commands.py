"""Commands, each with the stamp of the state that it answers."""

import array

import numpy as np
from builtin_interfaces.msg import Duration
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.errors import PoloError
from polo_ros.nodes.messages.limits import MOST_DIMENSIONS, MOST_JOINTS, MOST_STAMP_DIGITS, check_size
from polo_ros.nodes.messages.stamps import to_stamp

STAMP_LABEL = "answers_stamp_ns="


def pack_command(values: Array, answered: int) -> Float64MultiArray:
    """A command, labelled with the stamp of the state it answers so that lockstep never mixes them up."""
    message = Float64MultiArray()
    size = len(values)
    label = f"{STAMP_LABEL}{answered}"
    message.layout.dim = [MultiArrayDimension(label=label, size=size, stride=size)]
    message.data = array.array("d", np.ascontiguousarray(values).tobytes())
    return message


def unpack_command(message: Float64MultiArray) -> tuple[Array, int | None]:
    """The command's values and the stamp of the state it answers, None where it does not say.

    Raises:
      PoloError: the stamp is no number, or the message is too long.
    """
    check_size(len(message.data), MOST_JOINTS, "a command, values")
    check_size(len(message.layout.dim), MOST_DIMENSIONS, "a command, dimensions")
    answered = None
    for dimension in message.layout.dim:
        if dimension.label.startswith(STAMP_LABEL):
            stamp = dimension.label.removeprefix(STAMP_LABEL)
            if not stamp.isdecimal() or len(stamp) > MOST_STAMP_DIGITS:
                raise PoloError(f"the command's label {dimension.label[:60]!r} must end in a stamp in ns")
            answered = int(stamp)
    return np.array(message.data), answered


def pack_trajectory(
    names: list[str], positions: Array, stamp: int, period: int, answered: int
) -> JointTrajectory:
    """Positions of the next control periods, for a joint_trajectory_controller.

    Args:
      names: of the joints.
      positions: (n, joints), the first of them for the moment of the stamp; in rad or m.
      stamp: in ns.
      period: between two of them, in ns.
      answered: the stamp of the state that they answer, in ns; controllers ignore the frame that carries it.
    """
    message = JointTrajectory(joint_names=names)
    message.header.stamp, message.header.frame_id = to_stamp(stamp), f"{STAMP_LABEL}{answered}"
    for index, row in enumerate(positions):
        after = index * period
        start = Duration(sec=after // NANOSECONDS, nanosec=after % NANOSECONDS)
        point = JointTrajectoryPoint(positions=array.array("d", row.tobytes()), time_from_start=start)
        message.points.append(point)
    return message
