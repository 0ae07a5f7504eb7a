"""Receding-horizon planning: MPPI, warm-started with the last plan."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.models import ModelErrors
from polo_ros.planner.mppi import MPPI, Solution
from polo_ros.planner.plan import Plan
from polo_ros.planner.value import ValueEnsemble, optimistic
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View


@dataclass(frozen=True)
class PlanReport:
    """A plan and figures about it.

    Features, reward and value of the state planned from are computed on first access: acting needs none of
    them, and they take as long as all rewards of a small plan.

    Attributes:
      plan: the curve to follow.
      view: of the state planned from, under the first control of the plan.
      best_return: of the best rollout, values included.
      effective_sample_size: the number of rollouts that the plan averages.
      valid_rollouts: the number that did not diverge; with 0, `plan` is the warm start; see `usable`.
      compute_time: wall time of the plan, in s.
      iterations: the number of sampling rounds.
      simulator_steps: physics steps of all rollouts of all iterations.
      task: gives features and reward.
      ensemble: the value function planned with, if any.
      optimism: κ of the optimistic value.
    """

    plan: Plan
    view: View
    best_return: float
    effective_sample_size: float
    valid_rollouts: int
    compute_time: float
    iterations: int
    simulator_steps: int
    task: Task
    ensemble: ValueEnsemble | None
    optimism: float

    @property
    def usable(self) -> bool:
        """Whether the plan may be followed: without a valid rollout it is an old one, continued for ever."""
        return self.valid_rollouts > 0 and bool(np.isfinite(self.plan.knots).all())

    @cached_property
    def features(self) -> Array:
        """The value features of the state planned from, (features,)."""
        return self.task.value_features(self.view)

    @cached_property
    def reward(self) -> float:
        """The reward of the state planned from."""
        return float(self.task.reward(self.view))

    @cached_property
    def reward_terms(self) -> dict[str, float]:
        """The weighted terms of that reward by name; their sum is `reward`."""
        terms = self.task.reward_terms(self.view)
        return {name: weight * float(terms[name]) for name, weight in self.task.weights.items()}

    @cached_property
    def value(self) -> float:
        """The ensemble's value of that state, in reward units; 0 without an ensemble."""
        return float(optimistic(self._heads, self.optimism))

    @cached_property
    def value_std(self) -> float:
        """The heads' standard deviation there."""
        return float(self._heads.std())

    @cached_property
    def _heads(self) -> Array:
        if self.ensemble is None:
            return np.zeros(1)
        return self.ensemble.heads(self.features)


class Planner:
    """Receding-horizon MPPI with a learned terminal value.

    Args:
      task: the model, its rewards and value features.
      config: see `PlannerConfig`.
      seed: of the sampling noise; the same seed and states give the same plans to the bit.
      threads: of the rollouts, 0 for one per core.

    Attributes:
      solver: the class of the optimiser, for subclasses that plan with another one.
    """

    solver: ClassVar[type[MPPI]] = MPPI

    def __init__(self, task: Task, config: PlannerConfig, seed: int = 0, threads: int = 0) -> None:
        self.task = task
        self.value: ValueEnsemble | None = None
        self._mppi = self.solver(task, config, seed_of(seed, Stream.PLANNER), threads)
        # the curve of the last plan's knots: its warm start, and the plan itself where there is no reference
        self._curve: Plan | None = None
        self._plan: Plan | None = None
        self._elites: Array | None = None
        self._solution: Solution | None = None
        self._sequence = 0

    @property
    def rng(self) -> np.random.Generator:
        """The generator of the sampling noise."""
        return self._mppi.rng

    @property
    def config(self) -> PlannerConfig:
        """The settings in force."""
        return self._mppi.config

    def configure(self, config: PlannerConfig) -> None:
        """Take new settings; the next plan still starts from the last one, resampled on the new knots."""
        self._mppi.configure(config)

    def use_model(self, errors: ModelErrors) -> None:
        """Plan with a model that differs from the task's, from the next plan on."""
        self._mppi.use_model(errors)

    def reset(self) -> None:
        """Discard the last plan: the next one starts from neutral controls."""
        self._curve = self._plan = None
        self._elites = None

    def plan(self, state: Array, now: float) -> PlanReport:
        """Plan from a state.

        Args:
          state: (state_size,), flat.
          now: the time of the state, in s; the plan starts then.

        Raises:
          PoloError: the state has another size or is not finite.
        """
        self._check_state(state)
        began = time.perf_counter()
        mppi = self._mppi
        spacing = mppi.knot_spacing * self.task.timestep
        knots, elites = self._warm_start(now + mppi.knot_steps * self.task.timestep)
        value = self.value  # read once: another thread may replace it while this plan is made
        before = self._before(now)
        solution = mppi.optimise(state[None], knots[None], elites, value, before)
        self._sequence += 1
        curve = Plan(now, spacing, solution.knots[0], self.config.curve, self._sequence)
        self._curve, self._solution = curve, solution
        plan = curve
        if solution.reference is not None:
            plan = self._with_reference(curve, solution.reference[0], before)
        self._plan = plan
        self._elites = solution.elites[0] if solution.valid.any() else None
        return self._report(plan, solution, value, began)

    def control(self, plan: Plan, times: Array | float) -> Array:
        """The controls of a plan at absolute times in s, clipped to the actuators' ranges, (..., nu)."""
        controls: Array = np.clip(plan.sample(times), self.task.control_low, self.task.control_high)
        return controls

    def traces(self) -> tuple[Array, Array]:
        """Paths (K, H + 1, 3) and returns (K,) of the last plan's rollouts, best first.

        A path is that of the task's trace sensor, in m. Diverged rollouts are left out.
        """
        assert self._solution is not None
        solution = self._solution
        valid = solution.valid[0]
        positions = solution.view.sensor(self.task.trace_sensor)[0][valid]
        returns = solution.returns[0][valid]
        order = np.argsort(-returns)
        return positions[order], returns[order]

    def terminal_states(self) -> Array:
        """The states that the last plan's rollouts ended in, (n, state_size).

        They are one physics step past the horizon. Diverged rollouts are left out.
        """
        assert self._solution is not None
        reached = self._mppi.rollouts.final_states()
        # with several models, the nominal one's come first of each problem
        states: Array = reached[: self._solution.valid.shape[1]][self._solution.valid[0]]
        return states

    def last_controls(self) -> Array:
        """The controls of the last plan's rollouts, (K, H + 1, nu)."""
        assert self._solution is not None
        controls: Array = self._solution.view.ctrl[0]
        return controls

    def _check_state(self, state: Array) -> None:
        if state.shape != (self.task.state_size,):
            raise PoloError(
                f"a state of {self.task.name} has {self.task.state_size} numbers, not {state.shape}"
            )
        if not np.isfinite(state).all():
            bad = int(np.flatnonzero(~np.isfinite(state))[0])
            raise PoloError(f"entry {bad} of the state is {state[bad]}; a state must be finite")

    def _warm_start(self, knot_times: Array) -> tuple[Array, Array | None]:
        """The last plan and its elites, shifted in time to the new knots."""
        if self._curve is None:
            return np.tile(self._mppi.start_knot, (len(knot_times), 1)), None
        last = self._curve
        # one shift serves the plan and its elites: they share their knots' times
        shift = last.interpolation_matrix(knot_times)
        elites = None if self._elites is None else (shift @ self._elites)[None]
        return shift @ last.knots, elites

    def _before(self, now: float) -> Array | None:
        """The control (1, nu) of the last plan one control period before a time in s; None without a plan."""
        if self._plan is None or self.task.rate_limits is None:
            return None
        return self.control(self._plan, np.array([now - self.task.timestep]))

    def _with_reference(self, curve: Plan, reference: Array, before: Array | None) -> Plan:
        """A plan with a knot a step: deviations added to a reference (H + 1, nu), `before` being (1, nu)."""
        previous = None if before is None else before[0]
        controls = self._mppi.curve(curve.knots, reference, previous)[: self.config.horizon]
        return Plan(curve.start, self.task.timestep, controls, "linear", curve.sequence)

    def _report(
        self, plan: Plan, solution: Solution, ensemble: ValueEnsemble | None, began: float
    ) -> PlanReport:
        task = self.task
        # a copy: the next plan records into the same array
        sensordata = solution.view.sensordata[0, 0, 0].copy()
        here = task.view(sensordata, plan.knots[0].clip(task.control_low, task.control_high))
        # the terminal state takes one physics step more; see `Rollouts`
        steps = solution.valid.size * (self.config.horizon * task.substeps + 1) * self.config.models
        return PlanReport(
            plan=plan,
            view=here,
            best_return=float(solution.returns[0].max()),
            effective_sample_size=float(solution.effective_sample_size[0]),
            valid_rollouts=int(solution.valid[0].sum()),
            compute_time=time.perf_counter() - began,
            iterations=solution.iterations,
            simulator_steps=solution.iterations * steps,
            task=task,
            ensemble=ensemble,
            optimism=self.config.optimism,
        )
