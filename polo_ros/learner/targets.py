"""N-step targets of the paper's eq. (7) by trajectory optimisation."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.learner.config import LearnerConfig
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task

KNOT_SPACING = 21  # steps between knots of a target's plan: four knots over 64 steps


@dataclass
class Labels:
    """What trajectory optimisation found from each of P states, before any value is added.

    Attributes:
      features: (P, features), of the states.
      rewards: (P, C), Σ γ^t r_t of each candidate trajectory; -inf where it diverged.
      terminal_features: (P, C, features), of the candidates' ends.
    """

    features: Array
    rewards: Array
    terminal_features: Array


@dataclass
class PlanLabels(Labels):
    """Labels by one plan each, whose rollouts lead to further states that are worth a label.

    Attributes:
      ends: (P, K, state_size), states one step past the rollouts' ends.
      valid: (P, K), False where a rollout diverged and its end is no state.
    """

    ends: Array
    valid: Mask


def bootstrap(rewards: Array, terminal_features: Array, value: ValueEnsemble, discount: float) -> Array:
    """y_k = max_j [rewards_j + γ^N V_k(s_N,j)] for every head from one set of rollouts, (heads, P).

    The heads differ only in V_k(s_N), so that one optimisation serves them all; and old rollouts give
    fresh targets whenever the value function has changed.

    Args:
      rewards: (P, C), discounted sums; hugely negative marks a candidate that does not count.
      terminal_features: (P, C, features).
      value: the ensemble.
      discount: γ^N.
    """
    totals = rewards + discount * value.heads(terminal_features)
    best: Array = totals.max(axis=-1)
    return best


class TargetSolver:
    """Optimises trajectories from many states at once.

    Args:
      task: gives model, rewards and features.
      settings: of the optimisation.
      seed: of the sampling noise.
      threads: of the rollouts.
    """

    def __init__(self, task: Task, settings: PlannerConfig, seed: int, threads: int) -> None:
        settings.check()
        self.mppi = MPPI(task, settings, seed, threads)
        steps = np.arange(settings.horizon) / self.mppi.knot_spacing
        # least squares: the knots whose curve comes closest to a sequence of controls
        self._fit = np.linalg.pinv(interpolation_matrix(steps, settings.knots, settings.curve))

    def fit(self, executed: Array) -> Array:
        """The knots closest to sequences of controls, (P, N, nu) -> (P, knots, nu)."""
        return self._fit @ executed

    def solve(self, states: Array, executed: Array, value: ValueEnsemble) -> PlanLabels:
        """Optimise from each state, starting from the controls that were once executed there.

        Args:
          states: (P, state_size).
          executed: (P, N, nu).
          value: guides the search as terminal value, by the heads' mean.
        """
        solution = self.mppi.optimise(states, self.fit(executed), None, value)
        here = self.mppi.task.view(solution.view.sensordata[:, 0, 0], solution.view.ctrl[:, 0, 0])
        ends = self.mppi.rollouts.final_states()
        return PlanLabels(
            features=self.mppi.task.value_features(here),
            rewards=np.where(solution.valid, solution.rewards, -np.inf),
            terminal_features=np.where(solution.valid[..., None], solution.terminal_features, 0.0),
            ends=ends.reshape(*solution.valid.shape, -1),
            valid=solution.valid,
        )


def target_settings(config: LearnerConfig, planner: PlannerConfig) -> PlannerConfig:
    """How the plans behind targets are optimised; they share the actor's temperature."""
    horizon = config.target_horizon
    knots = min(max(2, round((horizon - 1) / KNOT_SPACING) + 1), horizon)
    return PlannerConfig(
        horizon=horizon,
        rollouts=config.target_rollouts,
        temperature=planner.temperature,
        temperature_mode=planner.temperature_mode,
        noise="knots" if horizon > 1 else "white",
        noise_sigma=config.target_sigma,
        noise_knots=knots,
        iterations=config.target_iterations,
        elites=1,
        discount=config.discount,
        value_weight=config.target_value_weight,
    )
