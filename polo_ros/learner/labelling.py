"""Which states get labels, and how: by one plan each, or by an expert that acts."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.learner.buffer import ReplayBuffer
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.expert import Expert, ends_of_rollouts
from polo_ros.learner.targets import Labels, TargetSolver, end_settings, target_settings
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks.task import Task
from polo_ros.value import ValueEnsemble


class Labeller(ABC):
    """Labels states of a replay buffer and states near them.

    The planner asks for values at its rollouts' ends, which it never visits: labels of visited states alone
    leave V free to be wrong exactly where it is used.

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
        self._begin(planner, seed, threads)

    @abstractmethod
    def _begin(self, planner: PlannerConfig, seed: int, threads: int) -> None:
        """Set up what only one kind needs."""

    @property
    @abstractmethod
    def candidates(self) -> int:
        """The number of candidate trajectories of each label."""

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next labels on."""
        self._config = config

    @abstractmethod
    def label(self, buffer: ReplayBuffer, value: ValueEnsemble) -> Labels:
        """Label as many states as are configured; fewer where every rollout diverged."""

    def dump(self) -> dict[str, Array]:
        """What is needed to go on, beside `dump_rng`."""
        return {}

    def dump_rng(self) -> dict[str, str]:
        """The states of the generators of sampling noise."""
        return {"solver_rng": json.dumps(self._solver.mppi.rng.bit_generator.state)}

    def restore(self, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
        """Go on from what `dump` and `dump_rng` gave."""
        self._solver.mppi.rng.bit_generator.state = json.loads(metadata["solver_rng"])

    def _split(self) -> tuple[int, int]:
        """How many visited states and how many ends to label."""
        ends = int(self._config.end_fraction * self._config.target_states)
        return self._config.target_states - ends, ends


class PlanLabeller(Labeller):
    """One plan a label, as eq. (7) is printed, and what acting earned as one more candidate.

    The ends are those of the rollouts behind the labels before.
    """

    def _begin(self, planner: PlannerConfig, seed: int, threads: int) -> None:
        # ends of rollouts from visited states, and the visits (counted from the first one ever) at
        # which the actor itself was as far
        self._ends = np.empty((0, self._task.state_size))
        self._end_visits = np.empty(0, dtype=np.int64)

    @property
    def candidates(self) -> int:
        """The rollouts, and what acting earned."""
        return self._config.target_rollouts + 1

    def label(self, buffer: ReplayBuffer, value: ValueEnsemble) -> Labels:
        """Optimise from visited states and from ends of earlier rollouts."""
        config = self._config
        from_ends = self._split()[1] if len(self._ends) else 0
        visited = self._rng.integers(0, len(buffer), config.target_states - from_ends)
        picked = self._rng.integers(0, max(len(self._ends), 1), from_ends)
        states = np.concatenate([buffer.rows("state", visited), self._ends[picked]])
        beside = np.maximum(self._end_visits[picked] - buffer.oldest, 0)
        # an end lies near where the actor was one horizon later, and so does a good warm start
        warm = buffer.executed(np.concatenate([visited, beside]), config.target_horizon)
        labels = self._solver.solve(states, warm, value)
        count = len(visited)
        rewards, terminal = self._executed(buffer, visited)
        absent = np.full(from_ends, -np.inf)
        solved = labels.valid.any(axis=1)
        rewards = np.column_stack([np.concatenate([rewards, absent]), labels.rewards])
        terminal = np.concatenate([terminal, np.zeros((from_ends, self._task.feature_count))])
        valid = labels.valid[:count]
        self._ends = labels.ends[:count][valid]
        reached = buffer.oldest + visited + config.target_horizon + 1
        self._end_visits = np.repeat(reached, valid.sum(axis=1))
        return Labels(
            labels.features[solved],
            rewards[solved],
            np.concatenate([terminal[:, None], labels.terminal_features], axis=1)[solved],
            labels.steps[solved],
        )

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
        """The ends."""
        return {"ends": self._ends, "end_visits": self._end_visits.astype(float)}

    def restore(self, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
        """Go on from what `dump` and `dump_rng` gave."""
        super().restore(tensors, metadata)
        self._ends, self._end_visits = tensors["ends"], tensors["end_visits"].astype(np.int64)


class ExpertLabeller(Labeller):
    """An expert acts from visited states and from ends of the actor's rollouts; all it sees gets labels."""

    def _begin(self, planner: PlannerConfig, seed: int, threads: int) -> None:
        self._expert = Expert(self._solver, self._config.expert_steps, threads)
        self._actor = TargetSolver(self._task, end_settings(self._config, planner), seed, threads)

    @property
    def candidates(self) -> int:
        """The expert does one thing only."""
        return 1

    def label(self, buffer: ReplayBuffer, value: ValueEnsemble) -> Labels:
        """Let the expert act from `target_states` states."""
        config, count = self._config, len(buffer)
        visits, ends = self._split()
        visited = self._rng.integers(0, count, visits)
        origins = self._rng.integers(0, count, ends)
        states = buffer.rows("state", visited)
        if ends:
            warm = buffer.executed(origins, config.end_horizon)
            reached, solved = ends_of_rollouts(
                self._actor, buffer.rows("state", origins), warm, value, self._rng
            )
            states = np.concatenate([states, reached[solved]])
            # an end lies near where the actor was one horizon later, and so does a good warm start
            visited = np.concatenate([visited, origins[solved] + config.end_horizon])
        return self._expert.act(states, buffer.executed(visited, config.target_horizon), value)

    def dump_rng(self) -> dict[str, str]:
        """The states of the generators of sampling noise."""
        actor = {"actor_rng": json.dumps(self._actor.mppi.rng.bit_generator.state)}
        return super().dump_rng() | actor

    def restore(self, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
        """Go on from what `dump_rng` gave."""
        super().restore(tensors, metadata)
        self._actor.mppi.rng.bit_generator.state = json.loads(metadata["actor_rng"])
