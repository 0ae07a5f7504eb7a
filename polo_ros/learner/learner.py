"""The learner: everything of Algorithm 1 but acting."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.buffer import ReplayBuffer, RingBuffer
from polo_ros.learner.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.labelling import Labeller
from polo_ros.learner.targets import bootstrap
from polo_ros.learner.weights import Origin
from polo_ros.planner.config import PlannerConfig
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task

# a target this many times the largest possible discounted sum of the rewards seen means divergence
EXPLOSION_FACTOR = 10.0
# stored for candidates that must not be chosen, in place of -inf: files hold finite numbers only
INVALID_REWARD = -1e12
# texts and arrays of a whole checkpoint that bare weights lack
STATE_TEXTS = ("solver_rng", "buffer_added", "labels_added")
STATE_ARRAYS = ("ends", "end_visits", "torch_rng")


@dataclass(frozen=True)
class UpdateReport:
    """Figures of one update.

    Attributes:
      sequence: the number of updates so far.
      loss: mean squared regression error, in reward units squared.
      target_mean, target_std: over labelled states and heads, in reward units.
    """

    sequence: int
    loss: float
    target_mean: float
    target_std: float


class Learner:
    """Replay buffer, labels and ensemble.

    Args:
      task: gives the model, rewards and value features.
      config: see `LearnerConfig`.
      planner: settings that the plans behind targets share with the planner.
      seed: of all random numbers here.
      threads: of the rollouts behind targets.
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
        self.buffer = ReplayBuffer(
            config.buffer_capacity, task.state_size, task.feature_count, task.model.nu, task.goal_size
        )
        self._rng = np.random.default_rng(seed_of(seed, Stream.LEARNER))
        self._labeller = Labeller(task, config, planner or PlannerConfig(), self._rng, seed, threads)
        candidates = self._labeller.candidates
        self.labels = RingBuffer(
            config.label_capacity,
            {
                "features": (task.feature_count,),
                "rewards": (candidates,),
                "terminal_features": (candidates, task.feature_count),
            },
        )
        self.ensemble = EnsembleTrainer(task.feature_count, config, seed)

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self.config = config
        self._labeller.configure(config)
        self.ensemble.configure(config)

    def add(
        self, states: Array, ctrl: Array, rewards: Array, episodes: Array, features: Array | None = None
    ) -> None:
        """Add transitions to the replay buffer.

        Args:
          states: (n, state_size).
          ctrl: (n, nu), the controls executed in them.
          rewards: (n,), earned there.
          episodes: (n,), the number of the episode of each.
          features: (n, features), of the states where they are known; computed otherwise.
        """
        if features is None:
            features = self._features(states, ctrl)
        self.buffer.append(
            {"state": states, "features": features, "ctrl": ctrl, "reward": rewards, "episode": episodes}
        )

    def _features(self, states: Array, ctrl: Array) -> Array:
        """The value features of states under given controls, in one batched computation."""
        return self.task.value_features(self.task.observe(states, ctrl))

    def value(self) -> ValueEnsemble:
        """The ensemble for the planner: a copy, which further updates do not change."""
        return self.ensemble.value()

    def update(self, between: Callable[[], None] | None = None) -> UpdateReport:
        """Label states from the buffer and take the gradient steps.

        Args:
          between: called before each sampling round of the labels, the part that takes seconds; where it
            raises, the learner is as before the update but for its random numbers.

        Raises:
          PoloError: the buffer is empty.
          ExplodedError: the values have diverged.
        """
        if not len(self.buffer):
            raise PoloError("the replay buffer is empty; act before learning")
        value = self.value()
        self._label(value, between)
        self.sequence += 1
        if len(self.labels) < self.config.warmup_labels:
            return UpdateReport(self.sequence, 0.0, 0.0, 0.0)
        if not self._standardised:
            self._standardise()
            value = self.value()
        targets = self._targets(value)
        loss = self.ensemble.update(self.labels.column("features"), targets, self._rng)
        return UpdateReport(self.sequence, loss, float(targets.mean()), float(targets.std()))

    def _label(self, value: ValueEnsemble, between: Callable[[], None] | None) -> None:
        """Label states and store the labels."""
        labels = self._labeller.label(self.buffer, value, between)
        self.labels.append(
            {
                "features": labels.features,
                "rewards": np.maximum(labels.rewards, INVALID_REWARD),
                "terminal_features": labels.terminal_features,
            }
        )

    def _standardise(self) -> None:
        """Fit the standardisation of the features to the first labelled and terminal states."""
        terminal = self.labels.column("terminal_features").reshape(-1, self.task.feature_count)
        self.ensemble.fit_standardiser(np.concatenate([self.labels.column("features"), terminal]))
        self._standardised = True

    def _targets(self, value: ValueEnsemble) -> Array:
        """Targets for all labels from the present values, (heads, labels).

        Raises:
          ExplodedError: the values have diverged.
        """
        rewards = self.labels.column("rewards")
        discount = self.config.discount**self.config.target_horizon
        targets = bootstrap(rewards, self.labels.column("terminal_features"), value, discount)
        # the value of each label's best candidate, repeated for ever
        repeated = rewards.max(axis=1) / (1.0 - discount)
        self._guard(targets, repeated)
        if self.config.bound_targets:
            # every infinite trajectory is a sequence of N-step pieces, none better than the best one
            targets = np.minimum(targets, repeated.max())
        return targets

    def _guard(self, targets: Array, repeated: Array) -> None:
        """Raises ExplodedError where targets are beyond any sum of rewards of the size seen."""
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
          epoch: when this learner was started, in ns since 1970.
          extra: further metadata that `load` returns.

        Raises:
          PoloError: the file could not be written; an earlier one is untouched.
        """
        metadata = {
            "standardised": "yes" if self._standardised else "no",
            "rng": json.dumps(self._rng.bit_generator.state),
            **self._labeller.dump_rng(),
            "buffer_added": str(self.buffer.added),
            "labels_added": str(self.labels.added),
            **(extra or {}),
        }
        tensors = self._labeller.dump() | self.ensemble.dump_optimiser()
        for name, store in self._stores().items():
            tensors |= {f"{name}.{column}": rows for column, rows in store.dump().items()}
        origin = Origin(self.task.name, self.task.model_hash(), epoch, self.sequence)
        write_checkpoint(path, Checkpoint(self.value(), origin, tensors, metadata))

    def _stores(self) -> dict[str, RingBuffer]:
        return {"buffer": self.buffer, "labels": self.labels}

    def load(self, path: Path) -> dict[str, str]:
        """Resume from a checkpoint, or start from bare weights such as those that come with the package.

        Returns:
          The file's metadata.

        Raises:
          PoloError: the file is missing, corrupted or incomplete, or of another task, model or
            architecture; the learner is unchanged.
        """
        checkpoint = read_checkpoint(path, self.task)
        whole = "rng" in checkpoint.metadata  # otherwise weights alone
        rows = self._rows(checkpoint, path) if whole else {}
        self.ensemble.restore(checkpoint.tensors, checkpoint.value)
        self.sequence = checkpoint.origin.sequence
        self._standardised = checkpoint.metadata.get("standardised", "yes") == "yes"
        if whole:
            for name, store in self._stores().items():
                store.restore(rows[name], int(checkpoint.metadata[f"{name}_added"]))
            self._rng.bit_generator.state = json.loads(checkpoint.metadata["rng"])
            self._labeller.restore(checkpoint.tensors, checkpoint.metadata)
        return dict(checkpoint.metadata)

    def _rows(self, checkpoint: Checkpoint, path: Path) -> dict[str, dict[str, Array]]:
        """The columns of buffer and labels in a checkpoint.

        Raises:
          PoloError: the checkpoint is incomplete or has rows of other sizes.
        """
        missing = [name for name in STATE_TEXTS if name not in checkpoint.metadata]
        missing += [name for name in STATE_ARRAYS if name not in checkpoint.tensors]
        if missing:
            raise PoloError(f"the checkpoint {path} lacks {', '.join(missing)}; use another one")
        found = {}
        for name, store in self._stores().items():
            rows = checkpoint.columns(name)
            if name == "buffer" and "features" not in rows and {"state", "ctrl"} <= rows.keys():
                # checkpoints of earlier versions do not hold the features
                rows["features"] = self._features(rows["state"], rows["ctrl"])
            if not store.fits(rows):
                raise PoloError(
                    f"the {name} in {path} has rows of other sizes; set target_rollouts to the checkpoint's"
                )
            found[name] = rows
        return found
