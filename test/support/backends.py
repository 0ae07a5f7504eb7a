"""A second engine for rollouts: plain `mj_step`, one simulation after the other."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.planner import Planner
from polo_ros.planner.mppi import MPPI
from polo_ros.tasks.state import INTEGRATION_SPEC


class PlainSteps:
    """Conforms to `RolloutBackend`, and checks what the protocol promises to a backend.

    Attributes:
      made: the number of objects so far.
    """

    made = 0
    state: Array

    def __init__(
        self, model: mujoco.MjModel, simulations: int, threads: int, models: Sequence[mujoco.MjModel] = ()
    ) -> None:
        PlainSteps.made += 1
        assert len(models) in (0, simulations)
        self._models = list(models) or [model] * simulations
        self.state = np.full((simulations, mujoco.mj_stateSize(model, INTEGRATION_SPEC)), np.nan)

    def simulate(self, controls: Array, sensordata: Array) -> Mask:
        """See `RolloutBackend.simulate`."""
        model, count, steps = self._models[0], len(self.state), controls.shape[1]
        assert controls.shape == (count, steps, model.nu) and controls.dtype == np.float64
        assert sensordata.shape == (count, steps, model.nsensordata) and sensordata.dtype == np.float64
        assert controls.flags["C_CONTIGUOUS"] and sensordata.flags["C_CONTIGUOUS"]
        valid = np.ones(count, dtype=bool)
        for index, own in enumerate(self._models):
            data = mujoco.MjData(own)
            mujoco.mj_setState(own, data, self.state[index], INTEGRATION_SPEC)
            for step in range(steps):
                data.ctrl[:] = controls[index, step]
                mujoco.mj_step(own, data)
                if data.warning.number.any():
                    # all that the protocol allows: records and state of this simulation are lost
                    valid[index] = False
                    sensordata[index, step:] = np.nan
                    break
                sensordata[index, step] = data.sensordata
            mujoco.mj_getState(own, data, self.state[index], INTEGRATION_SPEC)
        return valid


class PlainMPPI(MPPI):
    """MPPI over `PlainSteps`."""

    backend = PlainSteps


class PlainPlanner(Planner):
    """A planner over `PlainSteps`."""

    solver = PlainMPPI
