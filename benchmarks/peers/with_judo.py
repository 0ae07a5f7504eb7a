"""judo's controller with its MPPI (bdaiinstitute/judo 0.1.0)."""

from typing import Any, ClassVar

import mujoco
import numpy as np
from judo.app.structs import MujocoState
from judo.controller import Controller, ControllerConfig
from judo.optimizers import MPPI, MPPIConfig
from judo.tasks.base import Task as JudoBase
from judo.tasks.base import TaskConfig
from mujoco.rollout import Rollout

from benchmarks.peers.peer import Peer, Sampler, Size, half_range
from benchmarks.peers.problems import Problem
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task


class JudoTask(JudoBase[TaskConfig]):
    """A `Task` as judo's controller expects it: the same model and the same reward of the same states."""

    config_t = TaskConfig

    def __init__(self, task: Task) -> None:
        if task.substeps != 1 or task.goal_size or task.model.na:
            raise PoloError(
                f"judo's rollouts do not support the substeps, goals or activations of {task.name}"
            )
        # the base's constructor is not called: it would download meshes of judo's own tasks
        self._task = task
        self.config = TaskConfig()
        self.model = self.sim_model = task.model
        self.data = mujoco.MjData(task.model)

    def reward(
        self,
        states: Array,
        sensors: Array,
        controls: Array,
        system_metadata: dict[str, Any] | None = None,
    ) -> Array:
        """Σ r(s_t, u_t), (K,); `sensors` describe the state before each control."""
        return self._task.reward(self._task.view(sensors, controls)).sum(axis=-1)

    def reset(self) -> None:
        """Reset to the model's reference pose; the zeros of judo's default are not a valid quaternion."""
        mujoco.mj_resetData(self.model, self.data)


class _FewThreads(Rollout):
    """Rollouts on few threads: judo passes one MjData per rollout, MuJoCo needs one per thread."""

    def __init__(self, threads: int) -> None:
        super().__init__(nthread=threads)
        self._count = threads

    def rollout(self, model: Any, data: Any, *arguments: Any) -> tuple[Array, Array]:
        """Run the base's rollout with the first MjData objects only, one per thread."""
        found: tuple[Array, Array] = super().rollout(model, data[: self._count], *arguments)
        return found


class Judo(Peer):
    """judo as shipped: one thread per rollout."""

    thread_per_rollout: ClassVar[bool] = True

    def __init__(self, problem: Problem, size: Size, seed: int, sampler: Sampler) -> None:
        super().__init__(problem, size, seed, sampler)
        task = JudoTask(self.task)
        config, controller_config = MPPIConfig(), ControllerConfig()
        config.set_override(problem.judo_name)
        controller_config.set_override(problem.judo_name)
        config.num_rollouts = size.rollouts
        # judo rounds horizon / dt up: with half a step less the result is H despite rounding errors
        controller_config.horizon = (size.horizon - 0.5) * self.task.timestep
        if sampler.temperature is not None:
            config.temperature = sampler.temperature
        if sampler.sigma is not None:
            config.sigma = sampler.sigma * half_range(self.task)
        if sampler.knots is not None:
            config.num_nodes = sampler.knots
            controller_config.spline_order = problem.planner.curve
        np.random.seed(seed)  # judo draws from NumPy's global generator
        self._controller = Controller(controller_config, task, MPPI(config, task.nu))
        if not self.thread_per_rollout:  # judo has no setting for the number of threads
            backend = self._controller.rollout_backend
            backend._rollout_obj.close()
            backend._rollout_obj = _FewThreads(size.threads)

    def _split(self, state: Array) -> tuple[Array, Array]:
        nq, nv = self.task.model.nq, self.task.model.nv
        return state[:nq], state[nq : nq + nv]

    def plan(self, state: Array, now: float) -> Array:
        """One plan, by the same calls as judo's controller node."""
        qpos, qvel = self._split(state)
        nothing = np.empty(0)
        self._controller.update_states(MujocoState(now, qpos, qvel, nothing, nothing, nothing, nothing, {}))
        self._controller.update_action()
        control: Array = self._controller.action(now)
        return np.clip(control, self.task.control_low, self.task.control_high)

    def controls(self) -> Array:
        """The controls of the last plan's rollouts, (K, H, nu)."""
        controls: Array = self._controller.rollout_controls
        return controls

    def simulate(self, state: Array, controls: Array) -> Array:
        """The sensors along given controls, (K, H, nsensordata), by judo's rollout backend."""
        _, sensors, _ = self._controller.rollout_backend.rollout(np.concatenate(self._split(state)), controls)
        return np.asarray(sensors)


class JudoOnOurThreads(Judo):
    """judo with as many threads as the other planners."""

    thread_per_rollout: ClassVar[bool] = False
