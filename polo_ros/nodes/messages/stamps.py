"""Time in messages: nanoseconds and stamps."""

from builtin_interfaces.msg import Time

from polo_ros.control import NANOSECONDS


def to_stamp(nanoseconds: int) -> Time:
    """Nanoseconds as a message's stamp."""
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def from_stamp(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)
