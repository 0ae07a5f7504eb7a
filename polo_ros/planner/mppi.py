"""MPPI (Williams et al. 2016) over the knots of a control curve."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.planner.backends import BatchBackend, RolloutBackend
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.models import ModelErrors, draw_errors, with_errors, worst_mean
from polo_ros.planner.noise import sample_noise
from polo_ros.planner.objective import Objective, RolloutReturns
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.planner.rates import RateLimiter
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View


@dataclass
class Solution:
    """The outcome of one optimisation, for each of P problems.

    Attributes:
      knots: (P, knots, nu), the weighted mean of the samples.
      elites: (P, elites, knots, nu), the best samples, best first.
      view: the last iteration's records, (P, K, H + 1, ...).
      valid: (P, K), False where a rollout diverged.
      weights: (P, K), summing to one; all zero where every rollout of a problem diverged.
      rewards: (P, K), Σ γ^t r_t over the horizon, without values.
      returns: (P, K), the same with values and the cost of deviations; -inf where a rollout diverged.
      terminal_features: (P, K, features), of s_H.
      iterations: how many were run; all other attributes are those of the last one.
      reference: (P, H + 1, nu), what the curve of the knots is added to; None for zero.
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
    reference: Array | None = None

    @property
    def effective_sample_size(self) -> Array:
        """1 / Σ w², (P,): the number of rollouts that the plan averages; 0 where all diverged."""
        squares: Array = (self.weights**2).sum(axis=1)
        size: Array = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
        return size


class MPPI:
    """Improves the knots of control curves by sampling around them; has no memory of earlier plans.

    P problems are solved side by side: the planner has one, the learner's targets have many. An iteration
    samples knots, simulates and judges them, and moves the knots to the weighted mean of the samples. Where
    the task has reference controls, knots are deviations from these.

    Args:
      task: gives model, rewards and value features.
      config: see `PlannerConfig`.
      seed: of the sampling noise.
      threads: of the rollouts, 0 for one per core.

    Attributes:
      backend: the class of the engine that simulates, for subclasses that simulate with another one.
    """

    backend: ClassVar[type[RolloutBackend]] = BatchBackend

    def __init__(
        self, task: Task, config: PlannerConfig, seed: int | np.random.SeedSequence, threads: int = 0
    ) -> None:
        self.task = task
        self.rng = np.random.default_rng(seed)
        self._model = for_rollouts(task.model)
        self.rollouts = Rollouts(self._model, threads, task.substeps, self.backend)
        self._known, self._errors = ModelErrors(), [ModelErrors()]
        self._low = task.control_low
        self._high = task.control_high
        # a deviation may lead from any reference to any control
        span = self._high - self._low
        self._knot_low, self._knot_high = (-span, span) if task.has_reference else (self._low, self._high)
        self._scale = task.noise_scale
        self.configure(config)

    def configure(self, config: PlannerConfig) -> None:
        """Take new settings from the next iteration on."""
        self.config = config
        horizon, knots = config.horizon, config.knots
        # steps between knots; the last knot is the control of the last step
        self.knot_spacing = (horizon - 1) / (knots - 1) if knots > 1 else 1.0
        steps = np.arange(horizon + 1) / self.knot_spacing
        self._interpolation = interpolation_matrix(steps, knots, config.curve)
        self._times: Array = np.arange(horizon + 1.0) * self.task.timestep
        rates = self.task.rate_limits
        self._rate_limiter = (
            None if rates is None else RateLimiter(rates * self.task.timestep, self._interpolation)
        )
        self._objective = Objective(self.task, config)
        self._use_errors([self._known.times(each) for each in draw_errors(config)])

    def use_model(self, errors: ModelErrors) -> None:
        """Take a model that differs from the task's for the nominal one, from the next iteration on."""
        self._known = errors
        self._use_errors([errors.times(each) for each in draw_errors(self.config)])

    def _use_errors(self, errors: list[ModelErrors]) -> None:
        if errors != self._errors:
            self._errors = errors
            exact = errors == [ModelErrors()]
            self.rollouts.use_models([] if exact else [with_errors(self._model, each) for each in errors])

    @property
    def start_knot(self) -> Array:
        """A knot (nu,) without an earlier plan: the neutral control, or no deviation from the reference."""
        return np.zeros(len(self._low)) if self.task.has_reference else self.task.neutral

    def reference(self, states: Array) -> Array | None:
        """The task's reference controls from states (P, state_size) on, (P, H + 1, nu); None for zero."""
        return self.task.reference_controls(states, self._times) if self.task.has_reference else None

    def curve(self, knots: Array, reference: Array | None, before: Array | None = None) -> Array:
        """The controls of knots, added to a reference where there is one, (..., H + 1, nu).

        Where the task limits rates, those of the sum are limited; without a reference, the knots must be.

        Args:
          knots: (..., knots, nu).
          reference: broadcasts with (..., H + 1, nu).
          before: broadcasts with (..., nu), the controls one step before, which rates count from.
        """
        # the curve is linear in its knots
        controls: Array = np.matmul(self._interpolation, knots)
        if reference is not None:
            controls += reference
        np.clip(controls, self._low, self._high, out=controls)
        if reference is not None and self._rate_limiter is not None:
            self._rate_limiter.limit_curves(controls, before)
        return controls

    @property
    def knot_steps(self) -> Array:
        """The steps at which the knots apply, counted from the state, (knots,)."""
        return self.knot_spacing * np.arange(self.config.knots, dtype=float)

    def optimise(
        self,
        states: Array,
        knots: Array,
        elites: Array | None = None,
        value: ValueEnsemble | None = None,
        before: Array | None = None,
    ) -> Solution:
        """Run the configured number of iterations.

        Args:
          states: (P, state_size).
          knots: (P, knots, nu), the warm start.
          elites: (P, any, knots, nu), further curves that the first iteration tries without noise.
          value: the value function of eq. (6); none by default.
          before: (P, nu), the controls one step before the states, which the task's rate limits count from;
            by default the first knots are free.
        """
        tried = np.empty((len(states), 0, *knots.shape[1:])) if elites is None else elites
        for iteration in range(self.config.iterations):
            solution = self.iterate(states, knots, tried, value, before)
            solution.iterations = iteration + 1
            knots, tried = solution.knots, solution.elites
        return solution

    def iterate(
        self,
        states: Array,
        knots: Array,
        elites: Array,
        value: ValueEnsemble | None,
        before: Array | None = None,
    ) -> Solution:
        """One iteration; the arguments are those of `optimise`."""
        samples = self._sample(knots, elites)
        reference = self.reference(states)
        if reference is not None:
            controls = self.curve(samples, reference[:, None], None if before is None else before[:, None])
        else:
            if self._rate_limiter is not None:
                self._rate_limiter.limit(samples, before)
            controls = self.curve(samples, None)
        if len(self._errors) > 1:
            view, valid, judged = self._judge_on_models(states, controls, value)
        else:
            recording = self.rollouts.run(states, controls)
            view, valid = self.task.view(recording.sensordata, controls), recording.valid
            judged = self._objective.evaluate(view, value)
        if reference is not None and self.config.deviation_cost:
            judged.returns = judged.returns - self._deviation_costs(samples)
        solution = self._update(knots, samples, view, valid, judged)
        solution.reference = reference
        return solution

    def _deviation_costs(self, samples: Array) -> Array:
        """The cost of deviations over the horizon, (P, K), by their knots (P, K, knots, nu)."""
        squares = np.square(samples / self._scale).sum(axis=-1).mean(axis=-1)
        costs: Array = self.config.deviation_cost * self.config.horizon * squares
        return costs

    def _judge_on_models(
        self, states: Array, controls: Array, value: ValueEnsemble | None
    ) -> tuple[View, Mask, RolloutReturns]:
        """Rollouts on every model: records of the nominal one, and returns over all.

        A rollout is valid where it diverged on none of them. Returns are `worst_mean`, rewards and features
        those of the nominal model.
        """
        count = len(self._errors)
        everywhere = np.repeat(controls, count, axis=0)
        recording = self.rollouts.run(np.repeat(states, count, axis=0), everywhere)
        judged = self._objective.evaluate(self.task.view(recording.sensordata, everywhere), value)
        shape = (len(states), count, -1)
        valid = recording.valid.reshape(shape)
        returns = np.where(valid, judged.returns.reshape(shape), -np.inf)
        returns = worst_mean(returns, self.config.worst_share)
        features = judged.terminal_features[::count]
        everywhere_valid: Mask = np.asarray(valid.all(axis=1))
        view = self.task.view(recording.sensordata[::count], controls)
        return view, everywhere_valid, RolloutReturns(judged.rewards[::count], returns, features)

    def _sample(self, knots: Array, elites: Array) -> Array:
        """Knots of every rollout, (P, K, knots, nu): the first without noise, then elites, then noisy.

        One of those without noise is the reference, where the task has one.
        """
        config = self.config
        problems, count, nu = knots.shape
        shape = (problems, config.rollouts, count, nu)
        samples = sample_noise(self.rng, shape, filtered=config.noise == "filtered")
        samples *= config.noise_sigma * self._scale
        samples[:, 0] = 0.0
        samples += knots[:, None]
        kept = min(elites.shape[1], config.rollouts - 1)
        samples[:, 1 : 1 + kept] = elites[:, :kept]
        if self.task.has_reference:
            samples[:, 1 + kept : 2 + kept] = 0.0
        np.clip(samples, self._knot_low, self._knot_high, out=samples)
        return samples

    def _update(
        self, knots: Array, samples: Array, view: View, valid: Mask, judged: RolloutReturns
    ) -> Solution:
        """The weighted mean of the samples and the best of them; old knots where all diverged."""
        valid = valid & np.isfinite(judged.returns)
        returns = np.where(valid, judged.returns, -np.inf)
        weights = rollout_weights(returns, valid, self.config)
        mean = np.einsum("pk,pknu->pnu", weights, samples)
        solved: Mask = np.asarray(valid.any(axis=1))
        best = np.argsort(-returns, axis=1, kind="stable")[:, : self.config.elites]
        # with fewer valid rollouts than elites, the best one takes the place of those that diverged
        rows = np.arange(len(best))[:, None]
        best = np.where(valid[rows, best], best, best[:, :1])
        return Solution(
            knots=np.where(solved[:, None, None], mean, knots),
            elites=samples[rows, best],
            view=view,
            valid=valid,
            weights=weights,
            rewards=judged.rewards,
            returns=returns,
            terminal_features=judged.terminal_features,
        )


def rollout_weights(returns: Array, valid: Mask, config: PlannerConfig) -> Array:
    """exp((R - max R) / λ), normalised per problem, (P, K); zero for diverged rollouts.

    λ is the temperature, or its product with the standard deviation of a problem's returns.
    """
    counts = np.maximum(valid.sum(axis=1, keepdims=True), 1)
    peak = np.where(valid.any(axis=1, keepdims=True), returns.max(axis=1, keepdims=True), 0.0)
    below = np.where(valid, returns - peak, 0.0)
    temperature: Array | float = config.temperature
    if config.temperature_mode == "scale_free":
        mean = below.sum(axis=1, keepdims=True) / counts
        spread = np.where(valid, (below - mean) ** 2, 0.0).sum(axis=1, keepdims=True) / counts
        # equal returns have no spread: any positive temperature gives them equal weights
        temperature = np.maximum(temperature * np.sqrt(spread), 1e-12)
    weights = np.where(valid, np.exp(below / temperature), 0.0)
    # the weight of the best rollout is one before normalising: the sum is below one only where all diverged
    normalised: Array = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    return normalised
