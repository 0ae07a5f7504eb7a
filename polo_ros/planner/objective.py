"""The return of a rollout: the paper's eq. (3) with the value of eq. (6), at the end or along the rollout."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.value import ValueEnsemble, optimistic
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View


@dataclass
class RolloutReturns:
    """The returns of rollouts; the entries of diverged rollouts may hold anything.

    Attributes:
      rewards: (P, K), Σ γ^t r_t over the horizon, without values.
      returns: (P, K), the same with values.
      terminal_features: (P, K, features), of s_H.
    """

    rewards: Array
    returns: Array
    terminal_features: Array


class Objective:
    """Computes returns from recorded rollouts.

    With `value_blend` λ below 1, returns are those of MPQ(λ) (Bhardwaj et al. 2021): the average of the
    returns that end with the value V(s_t) after t = 1 … H steps, with weights (1 - λ) λ^(t - 1) and the
    remaining weight for t = H. With λ = 1 only V(s_H) counts, as in eq. (3).

    Args:
      task: gives rewards and value features.
      config: gives the horizon H, the discount γ and the use of values.
    """

    def __init__(self, task: Task, config: PlannerConfig) -> None:
        self._task = task
        self._config = config
        times = np.arange(config.horizon + 1)
        self._discounts = config.discount**times
        blend = config.value_blend
        self._blend = (1.0 - blend) * blend ** (times[1:] - 1)
        self._blend[-1] = blend ** (config.horizon - 1)

    def evaluate(self, view: View, ensemble: ValueEnsemble | None) -> RolloutReturns:
        """The returns of rollouts.

        Args:
          view: (P, K, H + 1, ...), states and controls.
          ensemble: the value function; None for returns of rewards alone.
        """
        task, config = self._task, self._config
        with np.errstate(all="ignore"):  # the records of diverged rollouts may hold anything
            earned = task.reward(view)[..., :-1] * self._discounts[:-1]
            rewards = earned.sum(axis=-1)
            terminal = task.value_features(task.view(view.sensordata[:, :, -1], view.ctrl[:, :, -1]))
            if ensemble is None or config.value_weight == 0.0:
                returns = rewards
            elif config.value_blend == 1.0:
                returns = rewards + self._discounts[-1] * self._value(terminal, ensemble)
            else:
                returns = self._blended(earned, view, ensemble)
        return RolloutReturns(rewards, returns, terminal)

    def _value(self, features: Array, ensemble: ValueEnsemble) -> Array:
        """The weighted, undiscounted value of states with given features, (...)."""
        return self._config.value_weight * optimistic(ensemble.heads(features), self._config.optimism)

    def _blended(self, earned: Array, view: View, ensemble: ValueEnsemble) -> Array:
        """The returns of MPQ(λ), (P, K), from discounted rewards (P, K, H)."""
        ahead = self._task.view(view.sensordata[:, :, 1:], view.ctrl[:, :, 1:])
        values = self._discounts[1:] * self._value(self._task.value_features(ahead), ensemble)
        # the reward of step t counts in the returns that end after it
        counted = np.cumsum(self._blend[::-1])[::-1]
        blended: Array = earned @ counted + values @ self._blend
        return blended
