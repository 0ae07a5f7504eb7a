"""Sampling noise over the knots of a plan."""

import numpy as np

from polo_ros.arrays import Array

# ε_t = 0.25 w_t + 0.8 ε_{t-1}: the filter in the MPPI code of one of the paper's authors
# (aravindr93/trajopt), rescaled below so that its standard deviation is noise_sigma.
FILTER_GAIN = 0.25
FILTER_MEMORY = 0.8


def sample_noise(rng: np.random.Generator, shape: tuple[int, int, int, int], filtered: bool) -> Array:
    """Noise of unit variance for every knot.

    Args:
      rng: the generator of the planner.
      shape: (problems, rollouts, knots, nu).
      filtered: whether neighbouring knots are correlated by the filter.

    Returns:
      An array of that shape.
    """
    noise = rng.standard_normal(shape)
    if filtered:
        stationary = FILTER_GAIN / np.sqrt(1.0 - FILTER_MEMORY**2)
        for knot in range(1, shape[2]):
            noise[:, :, knot] *= FILTER_GAIN / stationary
            noise[:, :, knot] += FILTER_MEMORY * noise[:, :, knot - 1]
    return noise
