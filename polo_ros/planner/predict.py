"""Rolling a state forward under the commands already promised, so that a late plan starts where it will."""

from collections.abc import Callable

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner.plan import Plan
from polo_ros.tasks.task import STATE_SPEC, Task


class Predictor:
    """One private simulation of the internal model.

    Args:
      task: gives the model.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._data = mujoco.MjData(task.model)

    def roll(
        self,
        state: Array,
        start: float,
        end: float,
        plan: Plan,
        control: Callable[[Plan, float], Array],
    ) -> Array:
        """The state expected at another time, (state_size,).

        Args:
          state: (state_size,), at `start`.
          start, end: in s; a whole number of control periods is taken, to the nearest.
          plan: whose commands act meanwhile.
          control: samples the plan within the control ranges.

        Returns:
          The predicted state; the given one where the prediction diverges.
        """
        task, data = self._task, self._data
        mujoco.mj_resetData(task.model, data)
        mujoco.mj_setState(task.model, data, state, STATE_SPEC)
        for step in range(max(round((end - start) / task.timestep), 0)):
            data.ctrl[:] = control(plan, start + step * task.timestep)
            mujoco.mj_step(task.model, data, task.substeps)
        predicted = task.state_of(data)
        return predicted if np.isfinite(predicted).all() else state
