"""pytorch_mppi 0.9.1, its dynamics and costs through MuJoCo's batch rollouts."""

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
from polo_ros.tasks.task import STATE_SPEC

# width of the kernel in knot spacings: that of the example in pytorch_mppi's README, 2 at five points on
# a horizon of 20
KERNEL_WIDTH = 2.0 / 4.75


class _WholeRollouts:
    """Simulates the whole horizon in one call, where the library would call back for every step.

    Its `running_cost` maps all controls (K, H, nu) to the rollouts' costs (K,).
    """

    running_cost: Callable[[Array], Array]

    def _compute_rollout_costs(self, perturbed_actions: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return torch.from_numpy(self.running_cost(perturbed_actions.numpy())), None, None


class _MPPI(_WholeRollouts, MPPI):
    pass


class _KMPPI(_WholeRollouts, KMPPI):
    pass


class Torch(Peer):
    """Its MPPI: white noise on every step, hence without knots.

    The covariance of the noise has no default there: it is our shipped sigma.
    """

    kind: ClassVar[type[MPPI]] = _MPPI

    def __init__(self, problem: Problem, size: Size, seed: int, sampler: Sampler) -> None:
        super().__init__(problem, size, seed, sampler)
        self._rollouts = Rollouts(for_rollouts(self.task.model), size.threads, self.task.substeps)
        self._state = np.empty(0)
        torch.manual_seed(seed)  # it draws from torch's global generator
        # its tensors are small, and idle OpenMP threads would spin through the rollouts that come next
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
        """Dynamics, costs and the size of the dynamics' state."""
        return None, self._costs, self.task.state_size

    def _knots(self, problem: Problem, sampler: Sampler) -> dict[str, Any]:
        """Arguments that make a plan of knots."""
        return {}

    def _costs(self, controls: Array) -> Array:
        """-Σ r(s_t, u_t), (K,), infinite where a rollout diverged."""
        recording = self._rollouts.run(self._state[None], controls[None])
        with np.errstate(all="ignore"):  # frozen rollouts may hold anything; they are masked here
            rewards = self.task.reward(self.task.view(recording.sensordata[0], controls)).sum(axis=-1)
        costs: Array = np.where(recording.valid[0] & np.isfinite(rewards), -rewards, np.inf)
        return costs

    def plan(self, state: Array, now: float) -> Array:
        """One plan; the library shifts its warm start by one step itself."""
        self._state = state
        action = self._mppi.command(torch.from_numpy(self._start(state))).numpy()
        return np.clip(action, self.task.control_low, self.task.control_high)

    def _start(self, state: Array) -> Array:
        """What the dynamics take as a state."""
        return state

    def controls(self) -> Array:
        """As the library keeps them."""
        controls: Array = self._mppi.perturbed_action.numpy()
        return controls

    def simulate(self, state: Array, controls: Array) -> Array:
        """By the rollouts that the costs come from."""
        return self._rollouts.run(state[None], controls[None]).sensordata[0]


class TorchKnots(Torch):
    """Its KMPPI: as many support points as ours has knots, joined by a kernel."""

    kind: ClassVar[type[MPPI]] = _KMPPI

    def _knots(self, problem: Problem, sampler: Sampler) -> dict[str, Any]:
        knots = problem.planner.knots if sampler.knots is None else sampler.knots
        width = KERNEL_WIDTH * (self.size.horizon - 1) / (knots - 1)
        return {"num_support_pts": knots, "kernel": RBFKernel(width)}


class TorchStepwise(TorchKnots):
    """KMPPI with its dynamics called for every step, as its documentation has it."""

    kind: ClassVar[type[MPPI]] = KMPPI

    def _callbacks(self) -> tuple[Any, Any, int]:
        model = for_rollouts(self.task.model)
        self._batch = Batch(model, self.size.rollouts, self.size.threads)
        self._data = mujoco.MjData(model)
        self._sensordata = np.empty((self.size.rollouts, 1, model.nsensordata))
        return self._dynamics, self._cost, self._batch.nstate

    def _start(self, state: Array) -> Array:
        """The whole integration state: with less, the solver would begin each step anew."""
        mujoco.mj_resetData(self.task.model, self._data)
        mujoco.mj_setState(self.task.model, self._data, state, STATE_SPEC)
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
        """-r(s_t, u_t), (K,): the sensors describe the state before the step that led to `state`."""
        view = self.task.view(self._sensordata[:, 0], action.numpy())
        return torch.from_numpy(-self.task.reward(view))

    def simulate(self, state: Array, controls: Array) -> Array:
        """Step by step."""
        rows = torch.from_numpy(np.tile(self._start(state), (len(controls), 1)))
        sensordata = np.empty((*controls.shape[:2], self.task.model.nsensordata))
        for step in range(controls.shape[1]):
            rows = self._dynamics(rows, torch.from_numpy(controls[:, step]))
            sensordata[:, step] = self._sensordata[:, 0]
        return sensordata
