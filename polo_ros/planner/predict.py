"""Rolling a state forward under the commands sent and promised: a plan begins where it will start."""

from collections.abc import Callable

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.task import STATE_SPEC, Task


class Predictor:
    """One private simulation of the internal model.

    Args:
      task: gives the model.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._data = mujoco.MjData(task.model)

    def roll(self, state: Array, start: float, periods: int, control: Callable[[float], Array]) -> Array:
        """The state expected some control periods later, (state_size,).

        Args:
          state: (state_size,), at `start`.
          start: in s.
          periods: how many.
          control: what acts from a time in s on, for one period, (nu,).

        Returns:
          The predicted state; the given one where the prediction diverges.
        """
        task, data = self._task, self._data
        mujoco.mj_resetData(task.model, data)
        mujoco.mj_setState(task.model, data, state, STATE_SPEC)
        for period in range(periods):
            data.ctrl[:] = control(start + period * task.timestep)
            mujoco.mj_step(task.model, data, task.substeps)
        predicted = task.state_of(data)
        return predicted if np.isfinite(predicted).all() else state
