"""Means with their spread."""

import math

import numpy as np
import pandas as pd
from scipy import stats

from polo_ros.arrays import Array


def interval(curves: Array) -> tuple[Array, Array]:
    """Mean and half the width of its 95 % interval (Student's t) over seeds, (seeds, n) -> (n,) twice.

    One seed has no interval: its width is 0.
    """
    count = len(curves)
    if count == 1:
        return curves[0], np.zeros_like(curves[0])
    half = stats.t.ppf(0.975, count - 1) * curves.std(axis=0, ddof=1) / math.sqrt(count)
    return curves.mean(axis=0), half


def half_interval(values: "pd.Series[float]") -> float:
    """Half the width of the 95 % interval (Student's t) of a mean; nan for a single value.

    For `groupby(...).agg(["mean", half_interval])`.
    """
    return float(stats.t.ppf(0.975, len(values) - 1) * values.sem())
