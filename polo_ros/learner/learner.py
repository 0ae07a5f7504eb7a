"""The learner: everything of Algorithm 1 but acting."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.buffer import ReplayBuffer, RingBuffer
from polo_ros.learner.checkpoint import Checkpoint, encode_checkpoint, read_checkpoint
from polo_ros.learner.checkpoint_file import write_rotating
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.label_pool import Between, make_pool
from polo_ros.learner.labelling import Labeller
from polo_ros.learner.origin import Origin
from polo_ros.learner.ports import ON_STDERR, Log
from polo_ros.learner.stored_data import check_label_shapes, stored_labels, stored_transitions
from polo_ros.learner.targets import INVALID_REWARD, Labels, regression_targets
from polo_ros.learner.weights import FEATURE_LIMIT, check_values, value_from_tensors, value_tensors
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task


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
      seed: of all random numbers here.
      threads: of the rollouts behind targets, where labels are made in this process.
      log: takes sentences about workers that make labels elsewhere.

    Attributes:
      sequence: the number of updates.
      trained: whether the networks have been trained or loaded. Before that their values mean nothing.
      buffer, labels: what is learned from.
      ensemble: the networks.
    """

    def __init__(
        self, task: Task, config: LearnerConfig, seed: int = 0, threads: int = 0, log: Log = ON_STDERR
    ) -> None:
        self.task = task
        self.config = config
        self.sequence = 0
        self.trained = False
        self._seed = seed
        self._pool = make_pool(task, config, seed, threads, log)
        self._rng, self._labeller = self._make_labeller()
        self.buffer = self._make_buffer()
        self.labels = self._make_labels(self._labeller)
        self.ensemble = EnsembleTrainer(task.feature_count, config, seed)
        self._anchor: ValueEnsemble | None = None

    def _make_labeller(self) -> tuple[np.random.Generator, Labeller]:
        """A new generator and the labeller that draws from it, too."""
        rng = np.random.default_rng(seed_of(self._seed, Stream.LEARNER))
        return rng, Labeller(self.task, self.config, rng, self._pool)

    def _make_buffer(self) -> ReplayBuffer:
        task = self.task
        return ReplayBuffer(
            self.config.buffer_capacity, task.state_size, task.feature_count, task.model.nu, task.goal_size
        )

    def _make_labels(self, labeller: Labeller) -> RingBuffer:
        features, candidates = self.task.feature_count, labeller.candidates
        columns = {
            "features": (features,),
            "rewards": (candidates,),
            "terminal_features": (candidates, features),
        }
        return RingBuffer(self.config.label_capacity, columns)

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next update on."""
        self.config = config
        self._labeller.configure(config)
        self.ensemble.configure(config)

    def anchor_to(self, value: ValueEnsemble) -> None:
        """Draw targets towards a value function's, by the share `anchor`.

        Raises:
          PoloError: it has another number of heads than this learner.
        """
        heads = self.config.ensemble_size
        if value.head_count != heads:
            raise PoloError(
                f"the anchor has {value.head_count} heads and the learner {heads}; set ensemble_size to "
                f"{value.head_count}"
            )
        self._anchor = value

    def add(
        self,
        states: Array,
        ctrl: Array,
        rewards: Array,
        episodes: Array,
        features: Array | None = None,
        streams: Array | None = None,
    ) -> None:
        """Add transitions to the replay buffer.

        Args:
          states: (n, state_size).
          ctrl: (n, nu), the controls executed in them.
          rewards: (n,), earned there.
          episodes: (n,), the number of the episode of each.
          features: (n, features), of the states where they are known; computed otherwise.
          streams: (n,), which robot's each is (`ReplayBuffer`); None where all are of stream 0.
        """
        if features is None:
            features = self._features(states, ctrl)
        if streams is None:
            streams = np.zeros(len(rewards))
        self.buffer.add(
            {
                "state": states, "features": features, "ctrl": ctrl, "reward": rewards,
                "episode": episodes, "stream": streams,
            }
        )  # fmt: skip

    def _features(self, states: Array, ctrl: Array) -> Array:
        """The value features of states under given controls, in one batched computation."""
        return bounded(self.task.value_features(self.task.observe(states, ctrl)))

    def value(self) -> ValueEnsemble:
        """The ensemble for the planner: a copy, which further updates do not change."""
        return self.ensemble.value()

    def update(self, between: Between | None = None) -> UpdateReport:
        """Label states from the buffer and take the gradient steps.

        Args:
          between: called every now and then while labels are made, the part that takes seconds; where it
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
        if not self.trained:
            self._standardise()
            value = self.value()
        labels, config = self.labels, self.config
        rewards, terminal = labels.column("rewards"), labels.column("terminal_features")
        features = labels.column("features")
        targets = regression_targets(rewards, terminal, value, config, self.task.name)
        if self._anchor is not None:
            targets += config.anchor * (self._anchor.heads(features) - targets)
        loss = self.ensemble.update(features, targets, self._rng)
        self._check_result()
        return UpdateReport(self.sequence, loss, float(targets.mean()), float(targets.std()))

    def _label(self, value: ValueEnsemble, between: Between | None) -> None:
        """Label states and store the labels that are finished."""
        for labels in self._labeller.label(self.buffer, value, between):
            self._store(labels)

    def settle(self) -> None:
        """Wait for the labels that are still being made elsewhere, and store them."""
        for labels in self._labeller.settle():
            self._store(labels)

    def _store(self, labels: Labels) -> None:
        self.labels.append(
            {
                "features": bounded(labels.features),
                "rewards": np.clip(labels.rewards, INVALID_REWARD, -INVALID_REWARD),
                "terminal_features": bounded(labels.terminal_features),
            }
        )

    def close(self) -> None:
        """End the workers that make labels elsewhere."""
        self._pool.close()

    def _standardise(self) -> None:
        """Fit the standardisation of the features to the first labelled and terminal states."""
        terminal = self.labels.column("terminal_features").reshape(-1, self.task.feature_count)
        self.ensemble.fit_standardiser(np.concatenate([self.labels.column("features"), terminal]))
        self.trained = True

    def _check_result(self) -> None:
        """Raises ExplodedError where a reader would refuse the networks: files hold usable values only."""
        value, what = self.value(), f"the values of {self.task.name}"
        try:
            value_from_tensors(value_tensors(value), self.task, what)
            check_values(value, self.config.discount, what)
        except PoloError as error:
            raise ExplodedError(
                f"{error}; they have exploded: lower learning_rate or start from an earlier checkpoint"
            ) from None

    def dump(self, epoch: int, extra: Mapping[str, str] | None = None) -> bytes:
        """Everything needed to resume, as the content of a checkpoint.

        Args:
          epoch: identity of this learner's run.
          extra: further metadata that `load` returns.
        """
        metadata = {
            "standardised": "yes" if self.trained else "no",
            "target_horizon": str(self.config.target_horizon),
            "rng": json.dumps(self._rng.bit_generator.state),
            **self._pool.dump(),
            "buffer_added": str(self.buffer.added),
            "labels_added": str(self.labels.added),
            **(extra or {}),
        }
        tensors = self._labeller.dump() | self.ensemble.dump_optimiser()
        for name, store in (("buffer", self.buffer), ("labels", self.labels)):
            tensors |= {f"{name}.{column}": rows for column, rows in store.dump().items()}
        origin = Origin.of(self.task, self.config.discount, epoch, self.sequence)
        return encode_checkpoint(Checkpoint(self.value(), origin, tensors, metadata))

    def save(self, path: Path, epoch: int, extra: Mapping[str, str] | None = None) -> None:
        """Write a checkpoint atomically and keep the previous ones; see `dump` and `write_rotating`.

        Raises:
          PoloError: the file could not be written; an earlier one is untouched.
        """
        write_rotating(path, self.dump(epoch, extra))

    def load(self, path: Path) -> Checkpoint:
        """Resume from a checkpoint, or start from bare weights such as those that come with the package.

        Returns:
          The contents of the file.

        Raises:
          PoloError: the file is missing, corrupted or incomplete, or of another task, model, discount or
            architecture; the learner is unchanged.
        """
        checkpoint = read_checkpoint(path, self.task, self.config.discount)
        self.restore(checkpoint)
        return checkpoint

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint. The value function's prior, scale and offset replace the settings.

        Raises:
          PoloError: the checkpoint is incomplete, out of range or of another architecture; the learner is
            unchanged.
        """
        ensemble = EnsembleTrainer(self.task.feature_count, self.config, self._seed)
        ensemble.restore(checkpoint.tensors, checkpoint.value, checkpoint.what)
        trained = checkpoint.metadata.get("standardised", "yes") == "yes"
        if "rng" in checkpoint.metadata:  # otherwise weights alone
            self._restore_data(checkpoint)
        self.ensemble, self.trained, self.sequence = ensemble, trained, checkpoint.origin.sequence

    def _restore_data(self, checkpoint: Checkpoint) -> None:
        """Replace buffer, labels and random generators by a checkpoint's, all at once."""
        rng, labeller = self._make_labeller()
        check_label_shapes(checkpoint, self.config.target_horizon, labeller.candidates)
        rng.bit_generator.state = checkpoint.generator("rng")
        labeller.restore(checkpoint)
        buffer, labels = self._make_buffer(), self._make_labels(labeller)
        buffer.restore(*stored_transitions(checkpoint, buffer.shapes, self._features))
        labels.restore(*stored_labels(checkpoint, labels.shapes))
        self._pool.restore(checkpoint)
        self._rng, self._labeller, self.buffer, self.labels = rng, labeller, buffer, labels


def bounded(features: Array) -> Array:
    """Features without entries that only diverged simulations have: files hold usable numbers only."""
    limited: Array = np.nan_to_num(features).clip(-FEATURE_LIMIT, FEATURE_LIMIT)
    return limited
