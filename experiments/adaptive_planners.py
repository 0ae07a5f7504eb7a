"""Planners that adapt while they run; `polo reproduce efficiency` evaluates them, the package has none."""

from dataclasses import replace

import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner import Planner, PlannerConfig, PlanReport
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.tasks.task import Task


class Recalling(Planner):
    """Adds to its samples the controls that followed the most similar states of past episodes.

    A proposal is the curve of knots nearest to the controls of a whole horizon, one from each past episode.

    Attributes:
      past: features (n, features) and controls (n, nu) of whole episodes, the oldest first.
    """

    def __init__(self, task: Task, config: PlannerConfig, seed: int = 0, threads: int = 0) -> None:
        super().__init__(task, config, seed, threads)
        self.past: list[tuple[Array, Array]] = []
        self._here = np.empty(0)

    def remember(self, states: Array, ctrl: Array) -> None:
        """Keep an episode's states (n, state_size) and the controls applied in each, (n, nu)."""
        self.past.append((self.task.value_features(self.task.observe(states)), ctrl))

    def plan(self, state: Array, now: float) -> PlanReport:
        """As `Planner.plan`, with proposals among the rollouts."""
        self._here = self.task.value_features(self.task.observe(state))
        return super().plan(state, now)

    def _warm_start(self, knot_times: Array) -> tuple[Array, Array | None]:
        knots, elites = super()._warm_start(knot_times)
        recalled = self.recalled(self._here)[None]
        return knots, recalled if elites is None else np.concatenate([elites, recalled], axis=1)

    def recalled(self, features: Array) -> Array:
        """Knots (episodes, knots, nu) of what followed the nearest state of each episode."""
        config, horizon = self.config, self.config.horizon
        episodes = [episode for episode in self.past if len(episode[1]) >= horizon]
        if not episodes:
            return np.empty((0, config.knots, self.task.model.nu))
        spread = np.concatenate([seen for seen, _ in episodes]).std(axis=0)
        scale = np.where(spread > 0.0, spread, 1.0)
        positions = np.arange(horizon) / self._mppi.knot_spacing
        curve = interpolation_matrix(positions, config.knots, config.curve)
        to_knots = np.linalg.pinv(curve)
        found = []
        for seen, ctrl in episodes:
            whole = len(ctrl) - horizon + 1
            begin = int((((seen[:whole] - features) / scale) ** 2).sum(axis=1).argmin())
            found.append(to_knots @ ctrl[begin : begin + horizon])
        return np.array(found)


class Adapting(Planner):
    """Spends as many simulator steps on a plan as its configuration, divided anew after each plan."""

    def __init__(self, task: Task, config: PlannerConfig, seed: int = 0, threads: int = 0) -> None:
        super().__init__(task, config, seed, threads)
        self._given = config

    def spend(self, rollouts: float, horizon: int) -> None:
        """Set the next plan's horizon, and its rollouts between half and four times the configured number."""
        given = self._given
        allowed = np.clip(round(rollouts), max(given.rollouts // 2, given.least_rollouts), 4 * given.rollouts)
        self.configure(replace(given, rollouts=int(allowed), horizon=horizon))


class SampleSized(Adapting):
    """More rollouts after a plan whose effective sample size was below the running mean, fewer above it."""

    # decay of the running mean, per plan
    MEMORY = 0.9

    def __init__(self, task: Task, config: PlannerConfig, seed: int = 0, threads: int = 0) -> None:
        super().__init__(task, config, seed, threads)
        self._usual: float | None = None

    def plan(self, state: Array, now: float) -> PlanReport:
        """As `Planner.plan`; adapts the next plan's size."""
        report = super().plan(state, now)
        share = max(report.effective_sample_size, 1.0) / self.config.rollouts
        usual = share if self._usual is None else self.MEMORY * self._usual + (1.0 - self.MEMORY) * share
        self._usual = usual
        self.spend(self._given.rollouts * usual / share, self._given.horizon)
        return report


class SureHorizon(Adapting):
    """Ends the horizon where the ensemble's heads agree, and spends the steps that this saves on rollouts."""

    # the heads agree where their standard deviation is below this share of their mean
    SURE = 0.015
    # the shortest horizon, as a share of the configured one
    SHORTEST = 0.25

    def plan(self, state: Array, now: float) -> PlanReport:
        """As `Planner.plan`; adapts the next plan's size."""
        report = super().plan(state, now)
        assert self._solution is not None
        if self.value is not None and report.valid_rollouts:
            best = int(self._solution.returns[0].argmax())
            view = self._solution.view
            along = self.task.view(view.sensordata[0, best], view.ctrl[0, best])
            heads = self.value.heads(self.task.value_features(along))
            sure = heads.std(axis=0) < self.SURE * np.abs(heads.mean(axis=0))
            whole = self._given.horizon
            least = max(round(self.SHORTEST * whole), self._given.knots)
            # no value is known beyond the last plan's horizon: where none is sure, the horizon may double
            known = [step for step in range(least, len(sure)) if sure[step]]
            horizon = min(known[0] if known else 2 * self.config.horizon, whole)
            self.spend(self._given.rollouts * whole / horizon, horizon)
        return report
