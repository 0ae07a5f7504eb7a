"""MPPI (Williams et al. 2016) on the objective of the paper's eq. (3)."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.noise import sample_noise
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.planner.value import ValueEnsemble, optimistic
from polo_ros.tasks.task import Task, View


@dataclass
class Solution:
    """The outcome of one optimisation, for each of P problems.

    Attributes:
      knots: (P, knots, nu), the weighted mean of the samples.
      elites: (P, elites, knots, nu), the best samples, best first.
      view: the last iteration's records, (P, K, H + 1, ...).
      valid: (P, K), False where a rollout diverged.
      weights: (P, K), summing to one; all zero where every rollout of a problem diverged.
      rewards: (P, K), Σ γ^t r_t over the horizon, without the terminal value.
      returns: (P, K), the same with values, blended or terminal; -inf where a rollout diverged.
      terminal_features: (P, K, features), of s_H.
      iterations: how many were run; the other entries are the last one's.
    """

    knots: Array
    elites: Array
    view: View
    valid: Mask
    weights: Array
    rewards: Array
    returns: Array
    terminal_features: Array
    iterations: int = 1

    @property
    def effective_sample_size(self) -> Array:
        """1 / Σ w², (P,): how many rollouts the plan really averages; 0 where all diverged."""
        squares: Array = (self.weights**2).sum(axis=1)
        size: Array = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
        return size

    @property
    def diverged(self) -> Mask:
        """(P,), True where every rollout of a problem diverged and the knots are the old ones."""
        return ~_any_valid(self.valid)


class MPPI:
    """Improves control knots by sampling around them; keeps no plan of its own.

    P problems are solved side by side: the planner has one, the learner's targets have many.

    Args:
      task: gives model, rewards and value features.
      config: see `PlannerConfig`.
      seed: of the sampling noise.
      threads: of the rollouts, 0 for one per core.
    """

    def __init__(self, task: Task, config: PlannerConfig, seed: int, threads: int = 0) -> None:
        self.task = task
        self.rng = np.random.default_rng(seed)
        self.rollouts = Rollouts(for_rollouts(task.model), threads, task.substeps)
        self._low = task.control_low
        self._high = task.control_high
        self._half_range = 0.5 * (self._high - self._low)
        self.configure(config)

    def configure(self, config: PlannerConfig) -> None:
        """Take new settings from the next optimisation on."""
        self.config = config
        horizon, knots = config.horizon, config.knots
        # steps between knots; the last knot is the last step's control
        self.knot_spacing = (horizon - 1) / (knots - 1) if knots > 1 else 1.0
        steps = np.arange(horizon + 1) / self.knot_spacing
        self._interpolation = interpolation_matrix(steps, knots, config.curve)
        times = np.arange(horizon + 1)
        self._discounts = config.discount**times
        blend = config.value_blend
        # MPQ(λ) averages the returns that end with V(s_t) after t = 1 ... H steps, with weights
        # (1 - λ) λ^(t - 1) and, for t = H, what is left of one
        self._blend = (1.0 - blend) * blend ** (times[1:] - 1)
        self._blend[-1] = blend ** (horizon - 1)

    @property
    def knot_steps(self) -> Array:
        """When each knot applies, in steps from the state, (knots,)."""
        return self.knot_spacing * np.arange(self.config.knots, dtype=float)

    def shift(self, steps: float) -> Array:
        """The linear map from knots to those of the same curve so many steps later, (knots, knots)."""
        config = self.config
        return interpolation_matrix((self.knot_steps + steps) / self.knot_spacing, config.knots, config.curve)

    def optimise(
        self,
        states: Array,
        knots: Array,
        elites: Array | None = None,
        value: ValueEnsemble | None = None,
    ) -> Solution:
        """Run the configured number of iterations, or fewer where `minimum_gain` is not reached.

        The noise shrinks by `sigma_decay` from each to the next, as in DIAL-MPC (Xue et al. 2024).

        Args:
          states: (P, state_size).
          knots: (P, knots, nu), the warm start.
          elites: (P, any, knots, nu), further sequences to try as they are.
          value: the terminal reward of eq. (6); none without.
        """
        tried = np.empty((len(states), 0, *knots.shape[1:])) if elites is None else elites
        for iteration in range(self.config.iterations):
            sigma = self.config.noise_sigma * self.config.sigma_decay**iteration
            solution = self._iterate(states, knots, tried, value, sigma)
            solution.iterations = iteration + 1
            if not self._gains(solution):
                break
            knots, tried = solution.knots, solution.elites
        return solution

    def _gains(self, solution: Solution) -> bool:
        """Whether sampling found enough in any problem for one more iteration."""
        if self.config.minimum_gain == 0.0:
            return True
        solved = _any_valid(solution.valid)
        returns, valid = solution.returns[solved], solution.valid[solved]
        gain = returns.max(axis=1) - returns[:, 0]
        return bool((gain > self.config.minimum_gain * returns.std(axis=1, where=valid)).any())

    def _iterate(
        self, states: Array, knots: Array, elites: Array, value: ValueEnsemble | None, sigma: float
    ) -> Solution:
        samples = self._sample(knots, elites, sigma)
        # (K, H + 1, nu) <- (H + 1, n) @ (K, n, nu): the curve is linear in its knots
        controls = np.matmul(self._interpolation, samples)
        np.clip(controls, self._low, self._high, out=controls)
        recording = self.rollouts.run(states, controls)
        view = self.task.view(recording.sensordata, controls)
        with np.errstate(all="ignore"):  # frozen rollouts may hold anything; they are masked below
            earned = self.task.reward(view)[..., :-1] * self._discounts[:-1]
            rewards = earned.sum(axis=-1)
            terminal = self.task.value_features(
                self.task.view(recording.sensordata[:, :, -1], controls[:, :, -1])
            )
            if value is None or self.config.value_weight == 0.0:
                returns = rewards
            elif self.config.value_blend == 1.0:
                returns = rewards + self._discounts[-1] * self._value(terminal, value)
            else:
                returns = self._blended(earned, view, value)
        valid = recording.valid & np.isfinite(returns)
        returns = np.where(valid, returns, -np.inf)
        weights = self._weights(returns, valid)
        updated = np.einsum("pk,pknu->pnu", weights, samples)
        solved = _any_valid(valid)
        count = self.config.elites
        best = np.argsort(-returns, axis=1, kind="stable")[:, :count]
        # where fewer survive than elites are wanted, the best stands in for those that diverged
        rows = np.arange(len(best))[:, None]
        best = np.where(valid[rows, best], best, best[:, :1])
        return Solution(
            knots=np.where(solved[:, None, None], updated, knots),
            elites=samples[rows, best],
            view=view,
            valid=valid,
            weights=weights,
            rewards=rewards,
            returns=returns,
            terminal_features=terminal,
        )

    def _sample(self, knots: Array, elites: Array, sigma: float) -> Array:
        """Knots of every rollout, (P, K, knots, nu): first without noise, then elites, then noisy."""
        config = self.config
        problems, count, nu = knots.shape
        shape = (problems, config.rollouts, count, nu)
        samples = sample_noise(self.rng, shape, filtered=config.noise == "filtered")
        samples *= sigma * self._half_range
        samples[:, 0] = 0.0
        samples += knots[:, None]
        kept = min(elites.shape[1], config.rollouts - 1)
        samples[:, 1 : 1 + kept] = elites[:, :kept]
        np.clip(samples, self._low, self._high, out=samples)
        return samples

    def _value(self, features: Array, ensemble: ValueEnsemble) -> Array:
        """What the ensemble adds to a return at states of given features, undiscounted."""
        return self.config.value_weight * optimistic(ensemble.heads(features), self.config.optimism)

    def _blended(self, earned: Array, view: View, ensemble: ValueEnsemble) -> Array:
        """The return of MPQ(λ) (Bhardwaj et al. 2021), (P, K).

        Args:
          earned: (P, K, H), γ^t r_t.
          view: (P, K, H + 1, ...).
          ensemble: evaluated at s_1 ... s_H.
        """
        ahead = self.task.view(view.sensordata[:, :, 1:], view.ctrl[:, :, 1:])
        values = self._discounts[1:] * self._value(self.task.value_features(ahead), ensemble)
        # a reward counts in every return that has not ended before it
        counted = np.cumsum(self._blend[::-1])[::-1]
        blended: Array = earned @ counted + values @ self._blend
        return blended

    def _weights(self, returns: Array, valid: Mask) -> Array:
        """exp((R - max R) / λ), normalised per problem; zero for diverged rollouts."""
        counts = np.maximum(valid.sum(axis=1, keepdims=True), 1)
        peak = np.where(valid.any(axis=1, keepdims=True), returns.max(axis=1, keepdims=True), 0.0)
        below = np.where(valid, returns - peak, 0.0)
        temperature: Array | float = self.config.temperature
        if self.config.temperature_mode == "scale_free":
            mean = below.sum(axis=1, keepdims=True) / counts
            spread = np.where(valid, (below - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / counts
            # equal returns have no scale: any positive temperature gives them equal weights
            temperature = np.maximum(temperature * np.sqrt(spread), 1e-12)
        weights = np.where(valid, np.exp(below / temperature), 0.0)
        # the best rollout alone weighs one, so a sum below that is the zero of no rollout left
        normalised: Array = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
        return normalised


def _any_valid(valid: Mask) -> Mask:
    """Whether a problem has a rollout that did not diverge, (P, K) -> (P,)."""
    return np.asarray(valid.any(axis=1))
