"""N-step targets of the paper's eq. (7) by trajectory optimisation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import ExplodedError
from polo_ros.learner.config import LearnerConfig
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.mppi import MPPI, Solution
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task

# a target this many times the largest possible discounted sum of the rewards seen means divergence
EXPLOSION_FACTOR = 10.0
# stored for candidates that must not be chosen, in place of -inf: files hold finite numbers only
INVALID_REWARD = -1e12
# steps between knots of the plan behind a target: four knots for 64 steps
KNOT_SPACING = 21


@dataclass
class Labels:
    """N-step rewards and terminal features of candidate trajectories from each of P states.

    Attributes:
      features: (P, features), of the states.
      rewards: (P, C), Σ γ^t r_t over N steps of each candidate, without a value; -inf where it diverged.
      terminal_features: (P, C, features), of the candidates' states s_N.
    """

    features: Array
    rewards: Array
    terminal_features: Array


@dataclass
class PlanLabels(Labels):
    """Labels by one plan each, with the terminal states of its rollouts.

    Attributes:
      terminal_states: (P, K, state_size), one physics step past the horizon.
      valid: (P, K), False where a rollout diverged.
    """

    terminal_states: Array
    valid: Mask


def bootstrap(rewards: Array, terminal_features: Array, value: ValueEnsemble, discount: float) -> Array:
    """y_k = max_j [rewards_j + γ^N V_k(s_N,j)] for every head from one set of rollouts, (heads, P).

    The heads differ in V_k(s_N) only: one optimisation serves all heads, and old rollouts give new targets
    whenever the value function has changed.

    Args:
      rewards: (P, C), discounted sums; that of a candidate that must not be chosen is hugely negative.
      terminal_features: (P, C, features).
      value: the ensemble.
      discount: γ^N.
    """
    totals = rewards + discount * value.heads(terminal_features)
    best: Array = totals.max(axis=-1)
    return best


def regression_targets(
    rewards: Array, terminal_features: Array, value: ValueEnsemble, config: LearnerConfig, task: str
) -> Array:
    """What the heads are fitted to: `bootstrap`, bounded where `bound_targets` says so, (heads, P).

    Args:
      rewards, terminal_features: see `bootstrap`.
      value: the present values.
      config: gives discount, horizon and bounds.
      task: named in errors.

    Raises:
      ExplodedError: targets are beyond any sum of rewards of the size seen: the values have diverged.
    """
    discount = config.discount**config.target_horizon
    targets = bootstrap(rewards, terminal_features, value, discount)
    # the value of each label's best candidate, repeated for ever
    repeated = rewards.max(axis=1) / (1.0 - discount)
    bound = EXPLOSION_FACTOR * max(np.abs(repeated).max(), config.value_scale)
    worst = float(np.abs(targets).max())
    if not worst < bound:
        raise ExplodedError(
            f"the value function of {task} has exploded: a target reached {worst:.3g}, "
            f"beyond {bound:.3g}; lower learning_rate or start from an earlier checkpoint"
        )
    if config.bound_targets:
        # every infinite trajectory is a sequence of N-step pieces, none better than the best one
        targets = np.minimum(targets, repeated.max())
    return targets


class InterruptibleMPPI(MPPI):
    """MPPI that can be given up between two sampling rounds.

    Attributes:
      between: called before each round; may raise.
    """

    between: Callable[[], None] | None = None

    def iterate(
        self,
        states: Array,
        knots: Array,
        elites: Array,
        value: ValueEnsemble | None,
        before: Array | None = None,
    ) -> Solution:
        """As `MPPI.iterate`."""
        if self.between is not None:
            self.between()
        return super().iterate(states, knots, elites, value, before)


class TargetSolver:
    """Optimises trajectories from many states at once.

    Args:
      task: gives the model, rewards and features.
      settings: of the optimisation.
      seed: of the sampling noise.
      threads: of the rollouts.
    """

    def __init__(
        self, task: Task, settings: PlannerConfig, seed: int | np.random.SeedSequence, threads: int
    ) -> None:
        settings.check()
        self.mppi = InterruptibleMPPI(task, settings, seed, threads)
        steps = np.arange(settings.horizon) / self.mppi.knot_spacing
        # least squares: the knots whose curve is closest to a sequence of controls
        self._fit = np.linalg.pinv(interpolation_matrix(steps, settings.knots, settings.curve))

    def fit(self, executed: Array) -> Array:
        """The knots closest to sequences of controls, (P, N, nu) -> (P, knots, nu)."""
        return self._fit @ executed

    def solve(
        self,
        states: Array,
        executed: Array,
        value: ValueEnsemble,
        between: Callable[[], None] | None = None,
    ) -> PlanLabels:
        """Optimise from each state.

        Args:
          states: (P, state_size).
          executed: (P, N, nu), the controls that the plans start from.
          value: its heads' mean is the terminal value of the search.
          between: called before each sampling round; may raise to give up.
        """
        self.mppi.between = between
        reference = self.mppi.reference(states)
        if reference is not None:
            executed = executed - reference[:, :-1]
        solution = self.mppi.optimise(states, self.fit(executed), None, value)
        here = self.mppi.task.view(solution.view.sensordata[:, 0, 0], solution.view.ctrl[:, 0, 0])
        reached = self.mppi.rollouts.final_states()
        return PlanLabels(
            features=self.mppi.task.value_features(here),
            rewards=np.where(solution.valid, solution.rewards, -np.inf),
            terminal_features=np.where(solution.valid[..., None], solution.terminal_features, 0.0),
            terminal_states=reached.reshape(*solution.valid.shape, -1),
            valid=solution.valid,
        )


def target_settings(config: LearnerConfig) -> PlannerConfig:
    """The settings of the plans behind targets."""
    horizon = config.target_horizon
    knots = min(max(2, round((horizon - 1) / KNOT_SPACING) + 1), horizon)
    return PlannerConfig(
        horizon=horizon,
        rollouts=config.target_rollouts,
        temperature=config.target_temperature,
        temperature_mode=config.target_temperature_mode,
        noise="knots" if horizon > 1 else "white",
        noise_sigma=config.target_sigma,
        noise_knots=knots,
        iterations=config.target_iterations,
        elites=1,
        discount=config.discount,
        value_weight=config.target_value_weight,
    )
