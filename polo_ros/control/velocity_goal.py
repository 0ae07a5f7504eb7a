"""Velocity goals as a user commands them: each counts for 0.5 s, so that a robot stops without its user."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.errors import PoloError

# how long a commanded velocity counts, in s
COMMAND_TIMEOUT_S = 0.5
COMMAND_TIMEOUT_NS = round(COMMAND_TIMEOUT_S * NANOSECONDS)


@dataclass(frozen=True)
class VelocityCommand:
    """A velocity goal (3,), ahead and left in m/s and yaw rate in rad/s, and its stamp in ns."""

    velocity: Array
    stamp: int

    def stale(self, moment: int) -> bool:
        """Whether the command is of another time than a moment in ns; then the goal is zero."""
        return abs(moment - self.stamp) > COMMAND_TIMEOUT_NS

    def at(self, moment: int) -> Array:
        """The velocity goal (3,) at a moment in ns."""
        return np.zeros(3) if self.stale(moment) else self.velocity

    def check_age(self, now: int) -> None:
        """Refuse a command that is stale when it arrives, at a time in ns.

        Raises:
          PoloError: it is, which it names.
        """
        if self.stale(now):
            age = (now - self.stamp) / NANOSECONDS
            side = "before" if age > 0 else "after"
            raise PoloError(
                f"cmd_vel is stamped {abs(age):.3f} s {side} the clock, more than {COMMAND_TIMEOUT_S} s; "
                f"synchronise the clocks"
            )
