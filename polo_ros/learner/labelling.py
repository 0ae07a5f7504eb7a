"""Which states get labels, and what acting from them earned."""

import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.learner.buffer import ReplayBuffer
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.targets import Labels, TargetSolver, target_settings
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task


class Labeller:
    """Labels states of a replay buffer and ends of rollouts from them, by one plan each (eq. (7)).

    The planner asks for values at its rollouts' ends, which it never visits: labels of visited states alone
    leave V free to be wrong exactly where it is used. The ends are those of the rollouts behind the labels
    before.

    Args:
      task, config: see `Learner`.
      planner: settings that the targets' plans share with the actor's.
      rng: picks the states.
      seed: of the sampling noise.
      threads: of the rollouts.
    """

    def __init__(
        self,
        task: Task,
        config: LearnerConfig,
        planner: PlannerConfig,
        rng: np.random.Generator,
        seed: int,
        threads: int,
    ) -> None:
        self._task = task
        self._config = config
        self._rng = rng
        self._solver = TargetSolver(task, target_settings(config, planner), seed, threads)
        # ends of rollouts from visited states, and the visits (counted from the first one ever) at
        # which the actor itself was as far
        self._ends = np.empty((0, task.state_size))
        self._end_visits = np.empty(0, dtype=np.int64)

    @property
    def candidates(self) -> int:
        """The candidate trajectories of each label: the rollouts, and what acting earned."""
        return self._config.target_rollouts + 1

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next labels on."""
        self._config = config

    def label(self, buffer: ReplayBuffer, value: ValueEnsemble) -> Labels:
        """Optimise from visited states and from ends of earlier rollouts.

        Returns:
          As many labels as are configured; fewer where every rollout diverged.
        """
        config = self._config
        from_ends = int(config.end_fraction * config.target_states) if len(self._ends) else 0
        visited = self._pick(
            config.target_states - from_ends, len(buffer), lambda drawn: buffer.rows("state", drawn), value
        )
        picked = self._pick(from_ends, len(self._ends), lambda drawn: self._ends[drawn], value)
        states = np.concatenate([buffer.rows("state", visited), self._ends[picked]])
        solved = self._solver.solve(states, self._warm_start(buffer, visited, picked), value)
        count = len(visited)
        rewards, terminal = self._executed(buffer, visited)
        absent = np.full(from_ends, -np.inf)
        known = solved.valid.any(axis=1)
        rewards = np.column_stack([np.concatenate([rewards, absent]), solved.rewards])
        terminal = np.concatenate([terminal, np.zeros((from_ends, self._task.feature_count))])
        valid = solved.valid[:count]
        self._ends = solved.ends[:count][valid]
        reached = buffer.oldest + visited + config.target_horizon + 1
        self._end_visits = np.repeat(reached, valid.sum(axis=1))
        return Labels(
            solved.features[known],
            rewards[known],
            np.concatenate([terminal[:, None], solved.terminal_features], axis=1)[known],
        )

    def _pick(
        self,
        count: int,
        held: int,
        states: Callable[[NDArray[np.int64]], Array],
        value: ValueEnsemble,
    ) -> NDArray[np.int64]:
        """Positions, out of those held, of states to label: the least certain ones of a random draw."""
        drawn = self._rng.integers(0, max(held, 1), count * self._config.target_choice)
        if len(drawn) == count:
            return drawn
        features = self._task.value_features(self._task.observe(states(drawn)))
        spread = np.nan_to_num(value.heads(features).std(axis=0), nan=0.0)
        return drawn[np.argsort(spread, kind="stable")[-count:]]

    def _warm_start(
        self, buffer: ReplayBuffer, visited: NDArray[np.int64], picked: NDArray[np.int64]
    ) -> Array:
        """Controls that the plans start from, (states, N, nu): what was once executed there, or none."""
        steps = self._config.target_horizon
        if not self._config.target_warm_start:
            return np.tile(self._task.neutral, (len(visited) + len(picked), steps, 1))
        # an end lies near where the actor was one horizon later, and so does a good warm start
        beside = np.maximum(self._end_visits[picked] - buffer.oldest, 0)
        return buffer.executed(np.concatenate([visited, beside]), steps)

    def _executed(self, buffer: ReplayBuffer, visited: NDArray[np.int64]) -> tuple[Array, Array]:
        """What acting itself earned over N steps from visited states, and where it led.

        One more candidate for the maximum of eq. (7): without it, labels of weak plans sink below what
        the actor is known to achieve, and are bootstrapped on themselves.

        Returns:
          (n,) discounted rewards, -inf where fewer steps are known, and (n, features).
        """
        steps = self._config.target_horizon
        discounts = self._config.discount ** np.arange(steps)
        known = buffer.unbroken(visited, steps)
        earned = np.where(known, buffer.executed_rewards(visited, steps) @ discounts, -np.inf)
        later = np.minimum(visited + steps, len(buffer) - 1)
        return earned, self._task.value_features(self._task.observe(buffer.rows("state", later)))

    def dump(self) -> dict[str, Array]:
        """What is needed to go on, beside `dump_rng`: the ends."""
        return {"ends": self._ends, "end_visits": self._end_visits.astype(float)}

    def dump_rng(self) -> dict[str, str]:
        """The state of the generator of sampling noise."""
        return {"solver_rng": json.dumps(self._solver.mppi.rng.bit_generator.state)}

    def restore(self, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
        """Go on from what `dump` and `dump_rng` gave."""
        self._solver.mppi.rng.bit_generator.state = json.loads(metadata["solver_rng"])
        self._ends, self._end_visits = tensors["ends"], tensors["end_visits"].astype(np.int64)
