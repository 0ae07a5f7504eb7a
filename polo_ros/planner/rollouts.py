"""Many simulations of one model from given states, by a `RolloutBackend`."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.planner.backends import BatchBackend, RolloutBackend
from polo_ros.tasks.model import silence_divergence_log
from polo_ros.tasks.state import INTEGRATION_SPEC, state_entries


@dataclass
class Recording:
    """The result of a set of rollouts; the arrays are overwritten by the next set.

    Attributes:
      sensordata: (problems, rollouts, H + 1, nsensordata); entry t describes state s_t.
      valid: (problems, rollouts), False where a simulation diverged.
    """

    sensordata: Array
    valid: Mask


class Rollouts:
    """Parallel simulations whose memory is reused from call to call.

    All problems have the same model, unless `use_models` gives them several in turn.

    A backend records the sensors of the state before each physics step, so one step more is simulated than H
    control periods have: the last record then describes the terminal state s_H, touch sensors included.

    Args:
      model: the internal model.
      threads: worker threads, 0 for one per core.
      substeps: physics steps per control period.
      backend: the class of the engine that simulates.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        threads: int = 0,
        substeps: int = 1,
        backend: type[RolloutBackend] = BatchBackend,
    ) -> None:
        silence_divergence_log()
        self._make_backend = backend
        self._model = model
        self._threads = threads
        self._substeps = substeps
        self._entries = state_entries(model)
        self._default = np.empty(mujoco.mj_stateSize(model, INTEGRATION_SPEC))
        mujoco.mj_getState(model, mujoco.MjData(model), self._default, INTEGRATION_SPEC)
        self._models: Sequence[mujoco.MjModel] = ()
        self._rollouts = 0
        self._backend: RolloutBackend | None = None
        self._sensordata = np.empty((0, 0, 0))

    def use_models(self, models: Sequence[mujoco.MjModel]) -> None:
        """Simulate problem i on models[i mod n] from now on; on the own model alone where there are none."""
        self._models = models
        self._backend = None

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
        """The state (state_size,) that one control sequence leads to; None if the simulation diverges.

        Args:
          state: (state_size,).
          controls: (periods, nu), one for each control period.
        """
        reached, valid = self.reach(state[None], controls[None])
        return reached[0] if valid[0] and np.isfinite(reached[0]).all() else None

    def reach(self, states: Array, controls: Array) -> tuple[Array, Mask]:
        """The states that control sequences lead to, and which of them did not diverge.

        Args:
          states: (n, state_size).
          controls: (n, periods, nu), one for each control period.

        Returns:
          (n, state_size) and (n,).
        """
        held = np.repeat(controls, self._substeps, axis=1)
        recording = self._simulate(states, held[:, None])
        return self.final_states(), recording.valid[:, 0]

    def final_states(self) -> Array:
        """The states that the last simulations ended in, (simulations, state_size).

        After `run` these are one physics step past the horizon. Simulations that diverged are among them;
        `Recording.valid` tells which.
        """
        assert self._backend is not None
        states: Array = self._backend.state[:, self._entries]
        return states

    def _simulate(self, states: Array, controls: Array) -> Recording:
        """As `run`, with a control for every physics step."""
        problems, rollouts, steps, nu = controls.shape
        backend = self._backend_for(problems, rollouts)
        backend.state[:] = self._default
        backend.state[:, self._entries] = np.repeat(states, rollouts, axis=0)
        shape = (problems * rollouts, steps, self._model.nsensordata)
        if self._sensordata.shape != shape:
            self._sensordata = np.empty(shape)
        flat = np.ascontiguousarray(controls.reshape(problems * rollouts, steps, nu))
        valid = backend.simulate(flat, self._sensordata)
        sensordata = self._sensordata.reshape(problems, rollouts, steps, -1)
        return Recording(sensordata[:, :, :: self._substeps], valid.reshape(problems, rollouts))

    def _backend_for(self, problems: int, rollouts: int) -> RolloutBackend:
        """The backend for so many simulations, made anew where their number or their models change."""
        simulations = problems * rollouts
        backend = self._backend
        regrouped = bool(self._models) and self._rollouts != rollouts
        if backend is None or len(backend.state) != simulations or regrouped:
            count = len(self._models)
            models = [self._models[i // rollouts % count] for i in range(simulations)] if count else []
            backend = self._make_backend(self._model, simulations, self._threads, models)
            self._backend, self._rollouts = backend, rollouts
        return backend


def for_rollouts(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of the model that simulates faster and as accurately.

    It has no warm start of the solver where that is Newton's method, which finds the same accelerations
    without, and no constraint islands where there is a single kinematic tree, which is always one island.
    `benchmarks.cold_solver` measures both against exact solutions.
    """
    fast = copy.deepcopy(model)
    if model.opt.solver == mujoco.mjtSolver.mjSOL_NEWTON:
        fast.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_WARMSTART)
    if model.ntree == 1:
        fast.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    return fast
