"""Limits of how fast controls change, kept by every sampled curve and by every average of such curves."""

import numpy as np

from polo_ros.arrays import Array


class RateLimiter:
    """Moves knots so that their curve never changes faster than allowed.

    From one step to the next, a curve changes by a weighted sum of the differences between neighbouring
    knots. Where no difference exceeds the allowed change over the largest sum of absolute weights, no step
    does. Since this is a limit of differences, it holds for the weighted mean of the samples if it holds for
    each.

    Args:
      steps: (nu,), the largest change of each control from one step to the next.
      interpolation: (H + 1, knots), from knots to steps.
    """

    def __init__(self, steps: Array, interpolation: Array) -> None:
        changes = np.diff(interpolation, axis=0)
        # the weight of the difference between knots j and j + 1 is the sum of those of the knots after j
        weights = np.cumsum(changes[:, ::-1], axis=1)[:, ::-1][:, 1:]
        worst = np.abs(weights).sum(axis=1).max(initial=0.0)
        self._first = steps
        # a curve of one knot does not change
        self._between = steps / worst if worst > 0.0 else steps

    def limit_curves(self, controls: Array, before: Array | None) -> None:
        """Limit curves in place, step by step: those of knots that are added to a reference.

        Args:
          controls: (..., H + 1, nu).
          before: broadcasts with (..., nu), the controls one step before; None leaves the first step free.
        """
        last = before
        for step in range(controls.shape[-2]):
            here = controls[..., step, :]
            if last is not None:
                np.clip(here, last - self._first, last + self._first, out=here)
            last = here

    def limit(self, samples: Array, before: Array | None) -> None:
        """Limit knots in place.

        Args:
          samples: (P, K, knots, nu).
          before: (P, nu), the controls one step before the first knot; None leaves the first knot free.
        """
        if before is not None:
            low, high = before[:, None] - self._first, before[:, None] + self._first
            np.clip(samples[:, :, 0], low, high, out=samples[:, :, 0])
        for knot in range(1, samples.shape[2]):
            last = samples[:, :, knot - 1]
            np.clip(samples[:, :, knot], last - self._between, last + self._between, out=samples[:, :, knot])
