"""Engines that simulate rollouts: their interface, and `mujoco.batch`, the one that ships."""

from collections.abc import Sequence
from typing import Protocol

import mujoco
from mujoco.batch import Batch

from polo_ros.arrays import Array, Mask


class RolloutBackend(Protocol):
    """A fixed number n of independent simulations that run side by side.

    `Rollouts` makes one object for each n, writes `state`, calls `simulate`, and reads records, flags and
    `state`; no other part of the planner or the learner depends on the engine. Another engine, such as
    mujoco_warp, is one class with these members, given to the planner as `MPPI.backend`.

    Arrays are NumPy's, of 64-bit floats, C-contiguous, and in the memory of the host: an engine that computes
    elsewhere or in single precision copies and converts within `simulate`, for all simulations at once.

    One thread at a time uses an object. Results must not depend on `threads`, nor those of one simulation on
    the others: seeds reproduce plans to the bit.

    Args:
      model: the model of all simulations, unless `models` is given. It is not changed afterwards.
      simulations: n.
      threads: worker threads, 0 for one per core; an engine without threads ignores it.
      models: empty, or one model for each simulation, (n,), which differ from `model` in their numbers
        alone: masses, friction, damping and gains, as `polo_ros.planner.models.with_errors` makes them.

    Attributes:
      state: (n, mj_stateSize(model, mjSTATE_INTEGRATION)), rows as `mj_getState` gives them; owned by the
        backend and the same array for its whole life. The caller writes all of it before `simulate`; after
        that it holds the states after the last step. Entries of the solver's warm start may be ignored.
    """

    state: Array

    def __init__(
        self, model: mujoco.MjModel, simulations: int, threads: int, models: Sequence[mujoco.MjModel] = ()
    ) -> None: ...

    def simulate(self, controls: Array, sensordata: Array) -> Mask:
        """Simulate every row of `state` for as many physics steps as there are controls.

        Args:
          controls: (n, steps, nu), a control for every step, within the actuators' ranges; the caller's, to
            be read only.
          sensordata: (n, steps, nsensordata), the caller's, filled here and not kept. Entry t describes the
            state before step t under control t, as `mj_step` leaves it in `MjData.sensordata`: all stages of
            sensors, with the contact forces and accelerations of that state.

        Returns:
          (n,), False where a simulation diverged: where MuJoCo would raise a warning of `mjtWarning`, such as
          a position, velocity or acceleration that is not finite or beyond `mjMAXVAL`. Records and state of
          such a simulation may hold anything from there on; it neither stops nor changes the others, and it
          is not reset.
        """


class BatchBackend:
    """`mujoco.batch`: MuJoCo itself, a thread for every core; see `RolloutBackend`."""

    state: Array

    def __init__(
        self, model: mujoco.MjModel, simulations: int, threads: int, models: Sequence[mujoco.MjModel] = ()
    ) -> None:
        self._batch = Batch(model, simulations, threads)
        if models:
            self._batch.set_models(list(models))
        self.state = self._batch.state

    def simulate(self, controls: Array, sensordata: Array) -> Mask:
        """See `RolloutBackend.simulate`."""
        batch = self._batch
        batch.warning[:] = 0
        batch.rollout(controls.shape[1], controls, record=("sensordata",), out={"sensordata": sensordata})
        # MuJoCo freezes a simulation whose warning counters rise: its later records are no states
        valid: Mask = ~batch.warning[:, :, 1].any(axis=1)
        return valid
