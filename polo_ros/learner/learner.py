"""The learner: everything of Algorithm 1 but the acting."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.buffer import ReplayBuffer, Ring
from polo_ros.learner.checkpoint import (
    FORMAT,
    check_origin,
    read_tensors,
    value_from_tensors,
    value_tensors,
    write_atomically,
)
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.targets import TargetSolver, bootstrap
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks.task import Task
from polo_ros.value import ValueEnsemble

# values further out than any discounted sum of the rewards seen could be, by this factor, mean divergence
EXPLOSION_FACTOR = 10.0
NEVER_THE_MAXIMUM = -1e12


@dataclass(frozen=True)
class UpdateReport:
    """What an update saw.

    Attributes:
      sequence: counts the updates.
      loss: mean squared regression error, in reward units squared.
      target_mean, target_std: over labelled states and heads, in reward units.
    """

    sequence: int
    loss: float
    target_mean: float
    target_std: float


class Learner:
    """Replay buffer, targets and ensemble.

    Args:
      task: the world and what is wanted in it.
      config: see `LearnerConfig`.
      planner: settings that the targets' plans share with the actor's.
      seed: of everything random here.
      threads: of the targets' rollouts.
    """

    def __init__(
        self,
        task: Task,
        config: LearnerConfig,
        planner: PlannerConfig | None = None,
        seed: int = 0,
        threads: int = 0,
    ) -> None:
        self.task = task
        self.config = config
        self.sequence = 0
        self._standardised = False
        self.buffer = ReplayBuffer(config.buffer_capacity, task.state_size, task.model.nu, task.goal_size)
        self._labels = Ring(
            config.label_capacity,
            {
                "features": (task.feature_count,),
                "rewards": (config.target_rollouts + 1,),
                "terminal_features": (config.target_rollouts + 1, task.feature_count),
            },
        )
        # ends of rollouts from visited states, and the visits (counted from the first one ever) at
        # which the actor itself was as far
        self._ends = np.empty((0, task.state_size))
        self._end_visits = np.empty(0, dtype=np.int64)
        self._rng = np.random.default_rng(seed)
        self._solver = TargetSolver(task, config, planner or PlannerConfig(), seed, threads)
        self.ensemble = EnsembleTrainer(task.feature_count, config, seed)

    @property
    def _bootstrap_discount(self) -> float:
        """γ^N."""
        return float(self.config.discount**self.config.target_horizon)

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self.config = config
        self.ensemble.configure(config)

    def add(self, states: Array, ctrl: Array, rewards: Array, episodes: Array) -> None:
        """Remember visited states.

        Args:
          states: (n, state_size).
          ctrl: (n, nu), the controls executed in them.
          rewards: (n,), earned there.
          episodes: (n,), which run of consecutive states each continues.
        """
        self.buffer.append({"state": states, "ctrl": ctrl, "reward": rewards, "episode": episodes})

    def value(self) -> ValueEnsemble:
        """The ensemble as the planner reads it."""
        return self.ensemble.value()

    def update(self) -> UpdateReport:
        """Label states from the buffer and take the gradient steps.

        Raises:
          PoloError: the buffer is empty, or the values have exploded.
        """
        if not len(self.buffer):
            raise PoloError("the replay buffer is empty; act before learning")
        value = self.value()
        self._label(value)
        self.sequence += 1
        if len(self._labels) < self.config.warmup_labels:
            return UpdateReport(self.sequence, 0.0, 0.0, 0.0)
        if not self._standardised:
            self._standardised = True
            features = self._labels.column("features")
            reached = self._labels.column("terminal_features").reshape(-1, self.task.feature_count)
            self.ensemble.fit_standardiser(np.concatenate([features, reached]))
            value = self.value()
        features = self._labels.column("features")
        targets = bootstrap(
            self._labels.column("rewards"),
            self._labels.column("terminal_features"),
            value,
            self._bootstrap_discount,
        )
        self._guard(targets)
        if self.config.bound_targets:
            # every endless trajectory is a chain of N-step pieces, none worth more than the best one
            best = self._labels.column("rewards").max()
            targets = np.minimum(targets, best / (1.0 - self._bootstrap_discount))
        loss = self.ensemble.update(features, targets, self._rng)
        return UpdateReport(self.sequence, loss, float(targets.mean()), float(targets.std()))

    def _label(self, value: ValueEnsemble) -> None:
        """Optimise from visited states and from ends of earlier rollouts, and remember the outcome.

        The planner asks for values at its rollouts' ends, which it never visits: labels of visited
        states alone leave V free to be wrong exactly where it is used.
        """
        config, buffer = self.config, self.buffer
        from_ends = int(config.end_fraction * config.target_states) if len(self._ends) else 0
        visited = self._rng.integers(0, len(buffer), config.target_states - from_ends)
        picked = self._rng.integers(0, max(len(self._ends), 1), from_ends)
        states = np.concatenate([buffer.rows("state", visited), self._ends[picked]])
        beside = np.maximum(self._end_visits[picked] - buffer.oldest, 0)
        # an end lies near where the actor was one horizon later, and so does a good warm start
        warm = buffer.executed(np.concatenate([visited, beside]), config.target_horizon)
        labels = self._solver.solve(states, warm, value)
        count = len(visited)
        rewards, terminal = self._executed(visited)
        absent = np.full(from_ends, -np.inf)
        solved = labels.valid.any(axis=1)
        rewards = np.column_stack([np.concatenate([rewards, absent]), labels.rewards])
        terminal = np.concatenate([terminal, np.zeros((from_ends, self.task.feature_count))])
        self._labels.append(
            {
                "features": labels.features[solved],
                # the ring holds finite numbers only: what does not count can never be the maximum
                "rewards": np.maximum(rewards[solved], NEVER_THE_MAXIMUM),
                "terminal_features": np.concatenate([terminal[:, None], labels.terminal_features], axis=1)[
                    solved
                ],
            }
        )
        valid = labels.valid[:count]
        self._ends = labels.ends[:count][valid]
        reached = buffer.oldest + visited + config.target_horizon + 1
        self._end_visits = np.repeat(reached, valid.sum(axis=1))

    def _executed(self, visited: NDArray[np.int64]) -> tuple[Array, Array]:
        """What acting itself earned over N steps from visited states, and where it led.

        One more candidate for the maximum of eq. (7): without it, labels of weak plans sink below what
        the actor is known to achieve, and are bootstrapped on themselves.

        Returns:
          (n,) discounted rewards, -inf where fewer steps are known, and (n, features).
        """
        steps, buffer = self.config.target_horizon, self.buffer
        discounts = self.config.discount ** np.arange(steps)
        known = buffer.unbroken(visited, steps)
        earned = np.where(known, buffer.executed_rewards(visited, steps) @ discounts, -np.inf)
        later = np.minimum(visited + steps, len(buffer) - 1)
        return earned, self.task.value_features(self.task.observe(buffer.rows("state", later)))

    def _guard(self, targets: Array) -> None:
        """Raises PoloError where targets exceed what rewards of the size seen can add up to."""
        best = self._labels.column("rewards").max(axis=1)
        steps = (1.0 - self._bootstrap_discount) * self.config.value_scale
        bound = EXPLOSION_FACTOR * self.config.value_scale * max(np.abs(best).max() / steps, 1.0)
        worst = float(np.abs(targets).max())
        if not worst < bound:
            raise PoloError(
                f"the value function of {self.task.name} has exploded: a target reached {worst:.3g}, "
                f"beyond {bound:.3g}; lower learning_rate or start from an earlier checkpoint"
            )

    def save(self, path: Path, epoch: int, extra: Mapping[str, str] | None = None) -> None:
        """Write everything needed to resume, atomically.

        Args:
          path: of the file.
          epoch: when this learner started, in ns since 1970.
          extra: further metadata that `load` gives back.

        Raises:
          PoloError: the file could not be written; a previous one is untouched.
        """
        metadata = {
            "format": FORMAT,
            "task": self.task.name,
            "model_hash": self.task.model_hash(),
            "epoch": str(epoch),
            "sequence": str(self.sequence),
            "standardised": "yes" if self._standardised else "no",
            "rng": json.dumps(self._rng.bit_generator.state),
            "solver_rng": json.dumps(self._solver.mppi.rng.bit_generator.state),
            "buffer_added": str(self.buffer.added),
            "labels_added": str(self._labels.added),
            **(extra or {}),
        }
        tensors = value_tensors(self.value())
        tensors |= {f"buffer.{name}": rows for name, rows in self.buffer.dump().items()}
        tensors |= {f"labels.{name}": rows for name, rows in self._labels.dump().items()}
        tensors |= {"ends": self._ends, "end_visits": self._end_visits} | self.ensemble.dump_optimiser()
        content = save({name: np.ascontiguousarray(rows) for name, rows in tensors.items()}, metadata)
        write_atomically(path, content)

    def load(self, path: Path) -> dict[str, str]:
        """Resume from a checkpoint, or start from bare weights such as those that come with the package.

        Returns:
          The file's metadata.

        Raises:
          PoloError: the file is missing, corrupted, or of another task, model or architecture; the
            learner is unchanged.
        """
        tensors, metadata = read_tensors(path, "the weights")
        origin = check_origin(metadata, self.task, f"the weights in {path}")
        value = value_from_tensors(tensors, self.task)
        stores: dict[str, Ring] = {}
        if "rng" in metadata:
            stores = {"buffer": self.buffer, "labels": self._labels}
        rows = {
            prefix: {
                name.removeprefix(f"{prefix}."): array
                for name, array in tensors.items()
                if name.startswith(f"{prefix}.")
            }
            for prefix in stores
        }
        for prefix, store in stores.items():
            if not store.fits(rows[prefix]):
                raise PoloError(
                    f"the {prefix} in {path} has rows of other sizes; set target_rollouts to the checkpoint's"
                )
        self.ensemble.restore(tensors, value)
        self.sequence = origin.sequence
        self._standardised = metadata.get("standardised", "yes") == "yes"
        for prefix, store in stores.items():
            store.restore(rows[prefix], int(metadata[f"{prefix}_added"]))
        if stores:
            self._rng.bit_generator.state = json.loads(metadata["rng"])
            self._solver.mppi.rng.bit_generator.state = json.loads(metadata["solver_rng"])
            self._ends, self._end_visits = tensors["ends"], tensors["end_visits"].astype(np.int64)
        return metadata
