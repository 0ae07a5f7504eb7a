"""pytorch_mppi 0.9.1 with dynamics and costs computed by MuJoCo's batch rollouts."""

from collections.abc import Callable
from typing import Any, ClassVar

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from pytorch_mppi import KMPPI, MPPI
from pytorch_mppi.mppi import RBFKernel

from benchmarks.peers.peer import Peer, Sampler, Size, half_range
from benchmarks.peers.problems import Problem
from polo_ros.arrays import Array
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.tasks.state import set_state

# kernel width in knot spacings, as in the example of pytorch_mppi's README: width 2 with five points on a
# horizon of 20
KERNEL_WIDTH = 2.0 / 4.75


class _WholeRollouts:
    """Simulate the whole horizon in one call; the library would call the dynamics for every step.

    Here `running_cost` maps all controls (K, H, nu) to the costs of the rollouts (K,).
    """

    running_cost: Callable[[Array], Array]

    def _compute_rollout_costs(self, perturbed_actions: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(self.running_cost(perturbed_actions.numpy())), None, None


class _MPPI(_WholeRollouts, MPPI):
    pass


class _KMPPI(_WholeRollouts, KMPPI):
    pass


class Torch(Peer):
    """pytorch_mppi's MPPI: white noise on every step, no knots.

    The library has no default for the covariance of the noise: our shipped sigma is used.
    """

    kind: ClassVar[type[MPPI]] = _MPPI

    def __init__(self, problem: Problem, size: Size, seed: int, sampler: Sampler) -> None:
        super().__init__(problem, size, seed, sampler)
        self._rollouts = Rollouts(for_rollouts(self.task.model), size.threads, self.task.substeps)
        self._state = np.empty(0)
        torch.manual_seed(seed)  # the library draws from torch's global generator
        # its tensors are small, and idle OpenMP threads would busy-wait during the rollouts that follow
        torch.set_num_threads(1)
        sigma = problem.planner.noise_sigma if sampler.sigma is None else sampler.sigma
        deviation = torch.full((self.task.model.nu,), sigma * half_range(self.task), dtype=torch.double)
        arguments: dict[str, Any] = {
            "noise_sigma": torch.diag(deviation**2),
            "num_samples": size.rollouts,
            "horizon": size.horizon,
            "u_min": torch.from_numpy(self.task.control_low),
            "u_max": torch.from_numpy(self.task.control_high),
        }
        if sampler.temperature is not None:
            arguments["lambda_"] = sampler.temperature
        self._mppi = self.kind(*self._callbacks(), **arguments, **self._knots(problem, sampler))

    def _callbacks(self) -> tuple[Any, Any, int]:
        """Dynamics, costs and size of the dynamics' state, for the library's constructor."""
        return None, self._costs, self.task.state_size

    def _knots(self, problem: Problem, sampler: Sampler) -> dict[str, Any]:
        """Constructor arguments for a plan with knots."""
        return {}

    def _costs(self, controls: Array) -> Array:
        """-Σ r(s_t, u_t), (K,); infinite for rollouts that diverged."""
        recording = self._rollouts.run(self._state[None], controls[None])
        with np.errstate(all="ignore"):  # diverged rollouts may contain any number; they are masked below
            rewards = self.task.reward(self.task.view(recording.sensordata[0], controls)).sum(axis=-1)
        costs: Array = np.where(recording.valid[0] & np.isfinite(rewards), -rewards, np.inf)
        return costs

    def plan(self, state: Array, now: float) -> Array:
        """One plan; the library itself shifts its warm start by one step."""
        self._state = state
        action = self._mppi.command(torch.from_numpy(self._start(state))).numpy()
        return np.clip(action, self.task.control_low, self.task.control_high)

    def _start(self, state: Array) -> Array:
        """The state in the form that the dynamics expect."""
        return state

    def controls(self) -> Array:
        """The controls of the last plan's rollouts, (K, H, nu)."""
        controls: Array = self._mppi.perturbed_action.numpy()
        return controls

    def simulate(self, state: Array, controls: Array) -> Array:
        """The sensors along given controls, (K, H, nsensordata), by the rollouts that compute the costs."""
        return self._rollouts.run(state[None], controls[None]).sensordata[0]


class TorchKnots(Torch):
    """pytorch_mppi's KMPPI: as many support points as our plan has knots, interpolated by a kernel."""

    kind: ClassVar[type[MPPI]] = _KMPPI

    def _knots(self, problem: Problem, sampler: Sampler) -> dict[str, Any]:
        knots = problem.planner.knots if sampler.knots is None else sampler.knots
        width = KERNEL_WIDTH * (self.size.horizon - 1) / (knots - 1)
        return {"num_support_pts": knots, "kernel": RBFKernel(width)}


class TorchStepwise(TorchKnots):
    """KMPPI with dynamics that the library calls for every step, as documented."""

    kind: ClassVar[type[MPPI]] = KMPPI

    def _callbacks(self) -> tuple[Any, Any, int]:
        model = for_rollouts(self.task.model)
        self._batch = Batch(model, self.size.rollouts, self.size.threads)
        self._data = mujoco.MjData(model)
        self._sensordata = np.empty((self.size.rollouts, 1, model.nsensordata))
        return self._dynamics, self._cost, self._batch.nstate

    def _start(self, state: Array) -> Array:
        """The full integration state, so that the solver keeps its warm start from step to step."""
        mujoco.mj_resetData(self.task.model, self._data)
        set_state(self.task.model, self._data, state)
        row = np.empty(self._batch.nstate)
        whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_getState(self.task.model, self._data, row, whole)
        return row

    def _dynamics(self, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        self._batch.state[:] = state.numpy()
        self._batch.warning[:] = 0
        controls = np.ascontiguousarray(action.numpy()[:, None])
        self._batch.rollout(1, controls, record=("sensordata",), out={"sensordata": self._sensordata})
        return torch.from_numpy(self._batch.state.copy())

    def _cost(self, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """-r(s_t, u_t), (K,); the recorded sensors describe the state before the step that led to `state`."""
        view = self.task.view(self._sensordata[:, 0], action.numpy())
        return torch.from_numpy(-self.task.reward(view))

    def simulate(self, state: Array, controls: Array) -> Array:
        """The sensors along given controls, (K, H, nsensordata), step by step."""
        rows = torch.from_numpy(np.tile(self._start(state), (len(controls), 1)))
        sensordata = np.empty((*controls.shape[:2], self.task.model.nsensordata))
        for step in range(controls.shape[1]):
            rows = self._dynamics(rows, torch.from_numpy(controls[:, step]))
            sensordata[:, step] = self._sensordata[:, 0]
        return sensordata
