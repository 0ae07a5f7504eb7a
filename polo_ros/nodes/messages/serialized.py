"""Messages that are published often, written as bytes: a node's own messages differ in numbers alone.

Making a message of Python objects and converting it takes five times as long. A template is serialised by
ROS 2 itself, with unusual numbers whose places are then looked up; afterwards only numbers are written.
"""

import struct

import numpy as np
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.nodes.messages.stamps import to_stamp
from polo_ros.nodes.messages.states import pack_joint_state, pack_odometry
from polo_ros.tasks.rotations import rotation_matrix

# a header comes first, after the four bytes that name the encoding
STAMP = struct.Struct("=iI")
STAMP_PLACE = 4


class Template:
    """A serialised message whose stamp and numbers are replaced.

    Args:
      content: the message with a stamp of 0, serialised.
      numbers: unusual numbers that it holds one after another; their places get new ones.
    """

    def __init__(self, content: bytes, *numbers: Array) -> None:
        self._content = bytearray(content)
        self._places = [place_of(content, each.tobytes()) for each in numbers]

    def at(self, stamp: int, *numbers: Array) -> bytes:
        """The message with a stamp in ns and other numbers."""
        STAMP.pack_into(self._content, STAMP_PLACE, stamp // NANOSECONDS, stamp % NANOSECONDS)
        for (begin, end), each in zip(self._places, numbers, strict=True):
            self._content[begin:end] = each.tobytes()
        return bytes(self._content)


def place_of(content: bytes, part: bytes) -> tuple[int, int]:
    """Where the bytes of a part begin and end, which must occur once."""
    assert content.count(part) == 1, "numbers of a template must occur once"
    begin = content.index(part)
    return begin, begin + len(part)


def unusual(count: int, first: int) -> Array:
    """Numbers that occur nowhere else in a message, (count,)."""
    return 1.2345 + np.arange(first, first + count, dtype=float)


class SerializedClock:
    """`/clock`."""

    def __init__(self) -> None:
        self._template = Template(serialize_message(Clock(clock=to_stamp(0))))

    def at(self, stamp: int) -> bytes:
        """The message of a time in ns."""
        return self._template.at(stamp)


class SerializedJointState:
    """As `pack_joint_state`, serialised.

    Args:
      joints: names and addresses.
    """

    def __init__(self, joints: JointMapping) -> None:
        self._joints = joints
        qpos, qvel = unusual(joints.model.nq, 0), unusual(joints.model.nv, 10_000)
        content = serialize_message(pack_joint_state(joints, qpos, qvel, 0))
        self._template = Template(content, qpos[joints.qpos], qvel[joints.qvel])

    def at(self, stamp: int, qpos: Array, qvel: Array) -> bytes:
        """The message of a stamp in ns, positions (nq,) and velocities (nv,)."""
        return self._template.at(stamp, qpos[self._joints.qpos], qvel[self._joints.qvel])


class SerializedOdometry:
    """As `pack_odometry`, serialised.

    Args:
      body: which one; its name is the child frame's.
      model_sizes: nq and nv of its model.
    """

    def __init__(self, body: FreeBody, model_sizes: tuple[int, int]) -> None:
        self._body = body
        qpos, qvel = np.zeros(model_sizes[0]), np.zeros(model_sizes[1])
        position, angular = unusual(3, 0), unusual(3, 100)
        qpos[body.qpos : body.qpos + 7] = [*position, 1.0, 0.0, 0.0, 0.0]
        qvel[body.qvel + 3 : body.qvel + 6] = angular
        content = serialize_message(pack_odometry(body, qpos, qvel, 0, body.name))
        # as the message has them: quaternion xyzw, and the linear velocity before the angular one
        pose = np.array([*position, 0.0, 0.0, 0.0, 1.0])
        self._template = Template(content, pose, np.array([0.0, 0.0, 0.0, *angular]))

    def at(self, stamp: int, qpos: Array, qvel: Array) -> bytes:
        """The message of a stamp in ns, and qpos (nq,) and qvel (nv,) of the whole model."""
        first, velocity = self._body.qpos, self._body.qvel
        pose = qpos[first : first + 7]
        linear = rotation_matrix(pose[3:]).T @ qvel[velocity : velocity + 3]
        twist = np.concatenate([linear, qvel[velocity + 3 : velocity + 6]])
        return self._template.at(stamp, pose[[0, 1, 2, 4, 5, 6, 3]], twist)
