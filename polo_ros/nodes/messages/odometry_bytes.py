"""Odometry read from its serialised form: ROS 2 would make dozens of objects and two covariances of it."""

import struct

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.errors import PoloError

# the first bytes of a message as ROS 2's middlewares write it: plain CDR, little-endian
PLAIN_CDR = b"\x00\x01"
# alignment counts from behind the four bytes that name the encoding
BODY = 4
STAMP = struct.Struct("<iI")
LENGTH = struct.Struct("<I")
# a pose and its covariance, and a twist
NUMBERS = 7 + 36 + 6


def read_odometry(content: bytes, what: str) -> tuple[Array, Array, Array, int]:
    """What of an odometry message is used.

    Args:
      content: nav_msgs/Odometry in plain CDR, little-endian.
      what: the topic, for errors.

    Returns:
      Position and quaternion wxyz (7,), linear velocity (3,), angular velocity (3,), stamp in ns.

    Raises:
      PoloError: the bytes are no such message.
    """
    try:
        seconds, nanoseconds = STAMP.unpack_from(content, BODY)
        at = BODY + STAMP.size
        for _ in ("frame_id", "child_frame_id"):
            (length,) = LENGTH.unpack_from(content, at)
            at += LENGTH.size + length
            at += -(at - BODY) % LENGTH.size
        at += -(at - BODY) % 8
        numbers = np.frombuffer(content, "<f8", NUMBERS, at)
    except (struct.error, ValueError):
        raise PoloError(f"{what} holds bytes that are no odometry") from None
    return numbers[[0, 1, 2, 6, 3, 4, 5]], numbers[43:46], numbers[46:49], seconds * NANOSECONDS + nanoseconds
