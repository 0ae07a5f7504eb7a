"""This package's planner, as the nodes run it."""

from dataclasses import replace
from typing import Any, ClassVar

from benchmarks.peers.peer import Peer, Sampler, Size
from benchmarks.peers.problems import Problem
from polo_ros.arrays import Array
from polo_ros.learner.weights import load_value
from polo_ros.planner import Planner
from polo_ros.planner.rollouts import Rollouts, for_rollouts


class Ours(Peer):
    """The planner with the shipped value function of the task, if there is one."""

    with_value: ClassVar[bool] = True

    def __init__(self, problem: Problem, size: Size, seed: int, sampler: Sampler) -> None:
        super().__init__(problem, size, seed, sampler)
        given = {
            "temperature": sampler.temperature,
            "noise_sigma": sampler.sigma,
            "noise_knots": sampler.knots,
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        config = replace(problem.planner, rollouts=size.rollouts, horizon=size.horizon, **changes)
        config.check()
        self._planner = Planner(self.task, config, seed, size.threads)
        if self.with_value and problem.weights_file:
            self._planner.value, _ = load_value(problem.weights_file, self.task)
        self._rollouts = Rollouts(for_rollouts(self.task.model), size.threads, self.task.substeps)

    def plan(self, state: Array, now: float) -> Array:
        """Plan from a flat state at a time in s; the control for that time, (nu,)."""
        return self._planner.control(self._planner.plan(state, now).plan, now)

    def controls(self) -> Array:
        """The last plan's controls, (K, H, nu), without the extra step for the terminal state."""
        return self._planner.last_controls()[:, : self.size.horizon]

    def simulate(self, state: Array, controls: Array) -> Array:
        """The sensors along given controls, (K, H, nsensordata), by the planner's `Rollouts`."""
        sensordata: Array = self._rollouts.run(state[None], controls[None]).sensordata[0]
        return sensordata


class OursWithoutValue(Ours):
    """The same without a value function, as the other planners."""

    with_value: ClassVar[bool] = False
