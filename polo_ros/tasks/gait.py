"""A gait clock: which foot should be on the ground when, and how high the others should be."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.tasks.state import GAIT_CLOCK
from polo_ros.tasks.view import View


@dataclass(frozen=True)
class Gait:
    """A periodic schedule of footfalls, as of the periodic rewards of Siekmann et al. 2021.

    A task that has one in its attribute `gait` gets a clock, which is an entry of the flat state: it advances
    in rollouts, and value function, experience and predictions contain it.

    Attributes:
      period: duration of a cycle, in s.
      duty: the share of the cycle for which a foot is on the ground, 0 to 1.
      offsets: the part of the cycle by which each foot is ahead, 0 to 1; a trot of the feet FL, FR, RL, RR
        has (0, 0.5, 0.5, 0).
      height: of a foot above the ground in the middle of its swing, in m.

    Raises:
      PoloError: a value out of its range.
    """

    period: float
    duty: float
    offsets: tuple[float, ...]
    height: float

    def __post_init__(self) -> None:
        if not self.period > 0.0:
            raise PoloError(f"the period of a gait is a time above 0 s, not {self.period}")
        if not 0.0 < self.duty < 1.0:
            raise PoloError(f"the duty of a gait lies between 0 and 1, not {self.duty}")
        if not self.offsets or not all(0.0 <= offset < 1.0 for offset in self.offsets):
            raise PoloError(f"the offsets of a gait lie in [0, 1), one a foot, not {self.offsets}")

    def phases(self, view: View) -> Array:
        """The phase of each foot, (..., feet), 0 to 1: it is on the ground up to `duty`, then in the air."""
        return self.phases_at(view.sensor(GAIT_CLOCK)[..., 0])

    def phases_at(self, clock: Array) -> Array:
        """The same at times (...) of the gait clock, in s."""
        phases: Array = np.mod(clock[..., None] / self.period + np.array(self.offsets), 1.0)
        return phases

    def stance(self, view: View) -> Mask:
        """Whether each foot should be on the ground, (..., feet)."""
        stance: Mask = self.phases(view) < self.duty
        return stance

    def foot_heights(self, view: View) -> Array:
        """The wanted height of each foot above the ground, (..., feet), in m."""
        return self.heights_at(self.phases(view))

    def heights_at(self, phases: Array) -> Array:
        """The wanted height of feet above the ground at phases (...), in m.

        Zero while the foot is on the ground; in its swing height · sin²(π s) with s from 0 to 1, which starts
        and ends without a jump of the speed.
        """
        swing = np.maximum(phases - self.duty, 0.0) / (1.0 - self.duty)
        heights: Array = self.height * np.sin(np.pi * swing) ** 2
        return heights

    def strides_at(self, phases: Array) -> Array:
        """How far feet are ahead of their place in the middle of the stance at phases (...), as a time in s.

        Times the speed at which the hip passes over the ground, this is a distance: a foot that touches down
        is half a step ahead and leaves the ground half a step behind (Raibert 1986). In the swing it returns
        along a cycloid, which starts and ends without a jump of the speed.
        """
        swing = np.maximum(phases - self.duty, 0.0) / (1.0 - self.duty)
        returned = swing - np.sin(2.0 * np.pi * swing) / (2.0 * np.pi)
        share = np.where(phases < self.duty, 0.5 - phases / self.duty, returned - 0.5)
        strides: Array = share * self.duty * self.period
        return strides

    def features(self, view: View) -> Array:
        """Sine and cosine of the cycle, (..., 2): the clock as an input of the value function."""
        angle = 2.0 * np.pi / self.period * view.sensor(GAIT_CLOCK)
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
