"""The interval of a mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    import pandas as pd


def half_interval(values: "Sequence[float] | pd.Series[float]") -> float:
    """Half the width of the 95 % interval (Student's t) of a mean; nan for a single value.

    Also for `groupby(...).agg(["mean", half_interval])`.
    """
    count = len(values)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1) * np.std(np.asarray(values), ddof=1) / count**0.5)
