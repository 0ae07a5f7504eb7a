"""Two variants of the sampling rounds that brought no gain: annealed noise, and early stopping."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.mppi import MPPI, Solution
from polo_ros.planner.value import ValueEnsemble


class AdaptedRoundsMPPI(MPPI):
    """MPPI that may change its settings before each iteration and stop after any."""

    def optimise(
        self,
        states: Array,
        knots: Array,
        elites: Array | None = None,
        value: ValueEnsemble | None = None,
        before: Array | None = None,
    ) -> Solution:
        """As `MPPI.optimise`, with at most the configured number of iterations."""
        config = self.config
        tried = np.empty((len(states), 0, *knots.shape[1:])) if elites is None else elites
        for iteration in range(config.iterations):
            self.prepare(iteration, config)
            solution = self.iterate(states, knots, tried, value, before)
            solution.iterations = iteration + 1
            if self.suffices(solution):
                break
            knots, tried = solution.knots, solution.elites
        self.configure(config)
        return solution

    def prepare(self, iteration: int, config: PlannerConfig) -> None:
        """Change the settings for an iteration, counted from 0; `config` is what the plan began with."""

    def suffices(self, solution: Solution) -> bool:
        """Whether no further iteration is needed."""
        return False


class AnnealedMPPI(AdaptedRoundsMPPI):
    """The noise shrinks from one iteration to the next, as in DIAL-MPC (Xue et al. 2024)."""

    # factor on noise_sigma from one iteration to the next
    decay: ClassVar[float] = 0.5

    def prepare(self, iteration: int, config: PlannerConfig) -> None:
        """Reduce the noise."""
        self.configure(replace(config, noise_sigma=config.noise_sigma * self.decay**iteration))


class GainLimitedMPPI(AdaptedRoundsMPPI):
    """A further iteration runs only while sampling finds enough that is better than the mean."""

    # least difference between the best return and that without noise, in standard deviations of the returns
    minimum_gain: ClassVar[float] = 1.0

    def suffices(self, solution: Solution) -> bool:
        """Whether no problem, of those with a valid rollout, has gained enough for another iteration."""
        solved = solution.valid.any(axis=1)
        returns, valid = solution.returns[solved], solution.valid[solved]
        gain = returns.max(axis=1) - returns[:, 0]
        return not (gain > self.minimum_gain * returns.std(axis=1, where=valid)).any()


class AnnealedPlanner(Planner):
    """A planner whose noise is halved from one iteration to the next."""

    solver = AnnealedMPPI


class GainLimitedPlanner(Planner):
    """A planner that stops iterating where the gain is below one standard deviation of the returns."""

    solver = GainLimitedMPPI
