"""A plan: a curve of controls over absolute time, given by its knots."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from polo_ros.arrays import Array

# times in s since 1970 are good to 2.4e-7 s: a plan that starts at a control tick acts at that tick
ROUNDING_S = 1e-6


@lru_cache(maxsize=64)
def _spline(count: int, interpolation: str):  # type: ignore[no-untyped-def]
    """The basis splines over `count` knots at 0, 1, …; called with positions, (n,) -> (n, count)."""
    from scipy.interpolate import make_interp_spline  # half a second that only planning needs

    degree = {"linear": 1, "cubic": min(3, count - 1)}[interpolation]
    return make_interp_spline(np.arange(count), np.eye(count), k=degree)


def interpolation_matrix(positions: Array, count: int, interpolation: str) -> Array:
    """The linear map from knot values to values between them.

    Before the first and after the last knot the curve is constant: polynomials diverge there.

    Args:
      positions: (n,), in units of the knot spacing; 0 is the first knot.
      count: the number of knots.
      interpolation: "zero" (hold until the next knot), "linear" or "cubic".

    Returns:
      (n, count).
    """
    inside = np.clip(positions, 0.0, count - 1.0)
    if interpolation == "zero" or count == 1:
        # a time that rounding has put just before its knot belongs to that knot: the resolution of seconds
        # since 1970 is 2.4e-7 s, 1/4000 of a step of 1 ms
        matrix: Array = np.eye(count)[np.floor(inside + 1e-3).astype(int)]
    else:
        matrix = _spline(count, interpolation)(inside)
    return matrix


@dataclass(frozen=True)
class Plan:
    """Controls as a function of absolute time.

    Attributes:
      start: time of the first knot, in s.
      spacing: time between knots, in s.
      knots: (n, nu) controls.
      interpolation: between knots; see `interpolation_matrix`.
      sequence: the number of this plan among those of its planner.
    """

    start: float
    spacing: float
    knots: Array
    interpolation: str
    sequence: int = 0

    @property
    def end(self) -> float:
        """The time of the end of the curve, in s; a held knot lasts one spacing."""
        count = len(self.knots)
        return self.start + self.spacing * (count if self.interpolation == "zero" else count - 1)

    def has_ended(self, time: float) -> bool:
        """Whether the curve is over at a time in s."""
        return time > self.end + ROUNDING_S

    def interpolation_matrix(self, times: Array) -> Array:
        """The linear map from knots to the curve at absolute times, (n,) -> (n, knots)."""
        positions = (times - self.start) / self.spacing
        return interpolation_matrix(positions, len(self.knots), self.interpolation)

    def sample(self, times: Array | float) -> Array:
        """The controls at absolute times in s, (..., nu); constant before and after the curve."""
        flat = np.atleast_1d(np.asarray(times, dtype=float)).ravel()
        nu = self.knots.shape[1]
        return (self.interpolation_matrix(flat) @ self.knots).reshape(*np.shape(times), nu)
