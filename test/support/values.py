"""Value functions for tests."""

import numpy as np

from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks import Task


def nowhere_finite(task: Task) -> ValueEnsemble:
    """A value function that divides by a deviation of zero."""
    size = task.feature_count
    layer = Layer(np.ones((2, size, 1)), np.zeros((2, 1, 1)))
    return ValueEnsemble((layer,), (layer,), np.zeros(size), np.zeros(size), 0.0, 1.0, 0.0)
