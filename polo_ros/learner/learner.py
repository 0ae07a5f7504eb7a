"""The learner: everything of Algorithm 1 but the acting."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.buffer import ReplayBuffer, Ring
from polo_ros.learner.checkpoint import FORMAT, check_origin, read_tensors, value_from_tensors, value_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.labelling import Labeller
from polo_ros.learner.targets import bootstrap
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task

# values further out than any discounted sum of the rewards seen could be, by this factor, mean divergence
EXPLOSION_FACTOR = 10.0
EXCLUDED_REWARD = -1e12


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
        self._rng = np.random.default_rng(seed)
        self._labeller = Labeller(task, config, planner or PlannerConfig(), self._rng, seed, threads)
        self._labels = Ring(
            config.label_capacity,
            {
                "features": (task.feature_count,),
                "rewards": (self._labeller.candidates,),
                "terminal_features": (self._labeller.candidates, task.feature_count),
            },
        )
        self.ensemble = EnsembleTrainer(task.feature_count, config, seed)

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self.config = config
        self._labeller.configure(config)
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
          PoloError: the buffer is empty.
          ExplodedError: the values have exploded.
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
        rewards = self._labels.column("rewards")
        discount = self.config.discount**self.config.target_horizon
        targets = bootstrap(rewards, self._labels.column("terminal_features"), value, discount)
        # what each label's best candidate would be worth, repeated for ever
        repeated = rewards.max(axis=1) / (1.0 - discount)
        self._guard(targets, repeated)
        if self.config.bound_targets:
            # every endless trajectory is a chain of such pieces, none worth more than the best one
            targets = np.minimum(targets, repeated.max())
        loss = self.ensemble.update(features, targets, self._rng)
        return UpdateReport(self.sequence, loss, float(targets.mean()), float(targets.std()))

    def _label(self, value: ValueEnsemble) -> None:
        """Label states and remember the outcome."""
        labels = self._labeller.label(self.buffer, value)
        self._labels.append(
            {
                "features": labels.features,
                # the ring holds finite numbers only: what does not count can never be the maximum
                "rewards": np.maximum(labels.rewards, EXCLUDED_REWARD),
                "terminal_features": labels.terminal_features,
            }
        )

    def _guard(self, targets: Array, repeated: Array) -> None:
        """Raises ExplodedError where targets exceed what rewards of the size seen can add up to."""
        bound = EXPLOSION_FACTOR * max(np.abs(repeated).max(), self.config.value_scale)
        worst = float(np.abs(targets).max())
        if not worst < bound:
            raise ExplodedError(
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
            **self._labeller.dump_rng(),
            "buffer_added": str(self.buffer.added),
            "labels_added": str(self._labels.added),
            **(extra or {}),
        }
        tensors = value_tensors(self.value())
        tensors |= {f"buffer.{name}": rows for name, rows in self.buffer.dump().items()}
        tensors |= {f"labels.{name}": rows for name, rows in self._labels.dump().items()}
        tensors |= self._labeller.dump() | self.ensemble.dump_optimiser()
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
            self._labeller.restore(tensors, metadata)
        return metadata
