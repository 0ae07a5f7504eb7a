"""The interval of a mean."""

import pandas as pd
from scipy import stats


def half_interval(values: "pd.Series[float]") -> float:
    """Half the width of the 95 % interval (Student's t) of a mean; nan for a single value.

    For `groupby(...).agg(["mean", half_interval])`.
    """
    return float(stats.t.ppf(0.975, len(values) - 1) * values.sem())
