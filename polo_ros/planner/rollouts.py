"""Many simulations of one model from given states, through `mujoco.batch`."""

import copy
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.batch import Batch

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import STATE_SPEC


@dataclass
class Recording:
    """What a set of rollouts left behind; the arrays are reused by the next set.

    Attributes:
      sensordata: (problems, rollouts, H + 1, nsensordata); entry t describes state s_t.
      valid: (problems, rollouts), False where a simulation diverged.
    """

    sensordata: Array
    valid: Mask


class Rollouts:
    """A pool of simulations with buffers that live between calls.

    `Batch.rollout` records the sensors of the state before each physics step, so one more is taken than
    H control periods have: the last record then describes the terminal state s_H, touch sensors included.

    Args:
      model: the internal model.
      threads: worker threads, 0 for one per core.
      substeps: physics steps per control period.
    """

    def __init__(self, model: mujoco.MjModel, threads: int = 0, substeps: int = 1) -> None:
        _silence_divergence_log()
        self._model = model
        self._threads = threads
        self._substeps = substeps
        self._data = mujoco.MjData(model)
        self._batch: Batch | None = None
        self._sensordata = np.empty((0, 0, 0))

    def run(self, states: Array, controls: Array) -> Recording:
        """Simulate every control sequence from its problem's state.

        Args:
          states: (problems, state_size), flat states.
          controls: (problems, rollouts, H + 1, nu); the last control only serves the terminal record.
        """
        if self._substeps > 1:
            held = np.repeat(controls[:, :, :-1], self._substeps, axis=2)
            controls = np.concatenate([held, controls[:, :, -1:]], axis=2)
        return self._simulate(states, controls)

    def follow(self, state: Array, controls: Array) -> Array | None:
        """Where one control sequence leads, (state_size,); None where it diverges.

        Args:
          state: (state_size,).
          controls: (periods, nu), for a control period each.
        """
        held = np.repeat(controls, self._substeps, axis=0)
        recording = self._simulate(state[None], held[None, None])
        found = self.final_states()[0]
        return found if recording.valid.all() and np.isfinite(found).all() else None

    def _simulate(self, states: Array, controls: Array) -> Recording:
        """As `run`, with a control for every physics step."""
        problems, rollouts, steps, nu = controls.shape
        batch = self._batch_for(problems * rollouts, steps)
        rows = batch.state.reshape(problems, rollouts, -1)
        for problem, state in enumerate(states):
            rows[problem] = self._integration_state(state)
        batch.warning[:] = 0
        batch.rollout(
            steps,
            controls.reshape(problems * rollouts, steps, nu),
            record=("sensordata",),
            out={"sensordata": self._sensordata},
        )
        # a simulation whose warning counters rise is frozen by MuJoCo: its records are no states
        valid = ~batch.warning[:, :, 1].any(axis=1)
        sensordata = self._sensordata.reshape(problems, rollouts, steps, -1)
        return Recording(sensordata[:, :, :: self._substeps], valid.reshape(problems, rollouts))

    def final_states(self) -> Array:
        """Where the last simulations are now: after `run`, one physics step past the horizon.

        (simulations, state_size).

        Simulations that diverged are among them; `Recording.valid` tells which.
        """
        assert self._batch is not None
        size = mujoco.mj_stateSize(self._model, STATE_SPEC)
        states = np.empty((len(self._batch.state), size))
        whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        for row, integration in zip(states, self._batch.state, strict=True):
            mujoco.mj_extractState(self._model, integration, whole, row, STATE_SPEC)
        return states

    def _batch_for(self, simulations: int, steps: int) -> Batch:
        if self._batch is None or self._batch.nsim != simulations:
            self._batch = Batch(self._model, simulations, self._threads)
        shape = (simulations, steps, self._model.nsensordata)
        if self._sensordata.shape != shape:
            self._sensordata = np.empty(shape)
        return self._batch

    def _integration_state(self, state: Array) -> Array:
        """The full integration state of a flat state, everything else at its default."""
        # nothing else is ever written into this MjData, so all the rest is as it was made
        mujoco.mj_setState(self._model, self._data, state, STATE_SPEC)
        whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        integration = np.empty(mujoco.mj_stateSize(self._model, whole))
        mujoco.mj_getState(self._model, self._data, integration, whole)
        return integration


def for_rollouts(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy without what costs rollouts time and gains them nothing.

    Newton's method finds the same accelerations from nothing as from the last step's, and one kinematic tree
    cannot fall into islands; `benchmarks.cold_solver` measures both against exact solutions.
    """
    fast = copy.deepcopy(model)
    if model.opt.solver == mujoco.mjtSolver.mjSOL_NEWTON:
        fast.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_WARMSTART)
    if model.ntree == 1:
        fast.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    return fast


def _silence_divergence_log() -> None:
    """Stop MuJoCo from printing a line, and writing a file, for each sample that diverges.

    Among random samples some diverge as a matter of course; `Recording.valid` counts them.
    """
    log = mujoco.MjLogConfig.get()
    log.logto_console = log.logto_file = False
    log.set()
