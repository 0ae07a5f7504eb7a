"""Simulating a state forward under the commands sent and planned, to the time at which a plan starts."""

from collections.abc import Callable

import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner.models import ModelErrors, with_errors
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.tasks.task import Task


class Predictor:
    """One private simulation of the internal model.

    All steps are one call into MuJoCo, which releases Python's lock: between two calls, the planning
    thread would wait for the other threads of the process.

    Args:
      task: gives the model.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._model = for_rollouts(task.model)
        self._rollouts = Rollouts(self._model, threads=1, substeps=task.substeps)

    def use_model(self, errors: ModelErrors) -> None:
        """Predict with a model that differs from the task's from now on."""
        self._rollouts.use_models([with_errors(self._model, errors)])

    def predict(self, state: Array, start: float, periods: int, control: Callable[[float], Array]) -> Array:
        """The state expected some control periods later, (state_size,).

        Args:
          state: (state_size,), at `start`.
          start: in s.
          periods: how many.
          control: what acts from a time in s on, for one period, (nu,).

        Returns:
          The predicted state; the given one where the prediction diverges.
        """
        times = start + self._task.timestep * np.arange(periods)
        return self.follow(state, np.array([control(float(time)) for time in times]))

    def follow(self, state: Array, controls: Array) -> Array:
        """The state expected after one control (nu,) for each of some periods, (periods, nu).

        Returns:
          The predicted state (state_size,); the given one where the prediction diverges.
        """
        predicted = self._rollouts.follow(state, controls) if len(controls) else state
        return state if predicted is None else predicted
