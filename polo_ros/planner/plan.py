"""The plan as data: a curve of controls in absolute time that anything can sample at any rate."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from polo_ros.arrays import Array


@lru_cache(maxsize=64)
def _spline(count: int, interpolation: str):  # type: ignore[no-untyped-def]
    """The basis splines over `count` knots at 0, 1, …; called with positions, (n,) -> (n, count)."""
    from scipy.interpolate import make_interp_spline  # half a second that only planning needs

    degree = {"linear": 1, "cubic": min(3, count - 1)}[interpolation]
    return make_interp_spline(np.arange(count), np.eye(count), k=degree)


def interpolation_matrix(positions: Array, count: int, interpolation: str) -> Array:
    """The linear map from knot values to values between them.

    Outside the knots the first or last value holds: a polynomial would run away there.

    Args:
      positions: (n,), in units of the knot spacing; 0 is the first knot.
      count: the number of knots.
      interpolation: "zero" (hold until the next knot), "linear" or "cubic".

    Returns:
      (n, count).
    """
    inside = np.clip(positions, 0.0, count - 1.0)
    if interpolation == "zero" or count == 1:
        # an instant that rounding put a hair before its knot belongs to that knot: seconds since 1970
        # are good to 2.4e-7 s, a 4000th of a 1 ms step
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
      interpolation: how the curve runs between knots.
      sequence: counts the plans of one planner.
    """

    start: float
    spacing: float
    knots: Array
    interpolation: str
    sequence: int = 0

    @property
    def end(self) -> float:
        """When the curve has been run through, in s; a held knot lasts one spacing."""
        count = len(self.knots)
        return self.start + self.spacing * (count if self.interpolation == "zero" else count - 1)

    def interpolation_matrix(self, times: Array) -> Array:
        """The linear map from knots to the curve at absolute times, (n,) -> (n, knots)."""
        positions = (times - self.start) / self.spacing
        return interpolation_matrix(positions, len(self.knots), self.interpolation)

    def sample(self, times: Array | float) -> Array:
        """The controls at absolute times, (..., nu); before and after the curve its ends hold."""
        flat = np.atleast_1d(np.asarray(times, dtype=float)).ravel()
        nu = self.knots.shape[1]
        return (self.interpolation_matrix(flat) @ self.knots).reshape(*np.shape(times), nu)
