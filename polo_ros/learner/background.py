"""Learning on a thread of its own while experience arrives; PyTorch is imported there alone."""

import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.checkpoint_file import CheckpointFile
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value, package_file
from polo_ros.tasks.task import Task

if TYPE_CHECKING:
    from polo_ros.learner.checkpoint import Checkpoint
    from polo_ros.learner.learner import Learner, UpdateReport


@dataclass(frozen=True)
class BackgroundSettings:
    """What may change while learning.

    Attributes:
      learner: see `LearnerConfig`.
      reward_weights: of the task's reward terms, by name.
      checkpoint_period: time between automatic checkpoints, in s.
    """

    learner: LearnerConfig
    reward_weights: Mapping[str, float]
    checkpoint_period: float


@dataclass(frozen=True)
class BackgroundOutputs:
    """Where results go; called on the learning thread and on those that call methods.

    Attributes:
      publish: new weights, as bytes.
      info, warn, error: a sentence for the log.
    """

    publish: Callable[[bytes], None]
    info: Callable[[str], object]
    warn: Callable[[str], object]
    error: Callable[[str], object]


class _ClosedError(Exception):
    """The learner was closed during an update."""


class BackgroundLearner:
    """A learner on a thread of its own: one update whenever there is enough new experience.

    The thread first creates the learner, which takes as long as PyTorch's import, and reads the checkpoint.
    All methods are for one other thread; those that save, load or close wait for the current update.

    Weights are published only after they have been loaded or trained: before its first gradient step a
    learner has random values, which must not replace those that a planner has loaded. A learner whose values
    have exploded never overwrites its checkpoint, nor does one overwrite a file that it has not read or
    written; both save beside it (`CheckpointFile`).

    Args:
      task: the world and what is wanted in it.
      settings: see `configure`.
      outputs: where results go.
      seed: of everything random in the learner.
      threads: of the targets' rollouts.
      checkpoint: file to resume from and to save to; None keeps nothing.
      weights_file: value function to start from without a checkpoint; empty for a fresh one.

    Attributes:
      failure: what ended the thread; None while it runs. See `check`.
      fault: why learning paused itself; empty if it did not.
    """

    def __init__(
        self,
        task: Task,
        settings: BackgroundSettings,
        outputs: BackgroundOutputs,
        seed: int,
        threads: int,
        checkpoint: Path | None,
        weights_file: str,
    ) -> None:
        self.failure: BaseException | None = None
        self.fault = ""
        self._task = task
        self._settings = settings
        self._applied = settings
        self._outputs = outputs
        self._seed = seed
        self._threads = threads
        self._checkpoint = CheckpointFile(checkpoint) if checkpoint is not None else None
        self._weights_file = weights_file
        self._learner: Learner | None = None
        self._last: UpdateReport | None = None
        self._epoch = new_epoch()
        # why the learner's state must not replace the checkpoint; the word is part of the other file's name
        self._unsound = ""
        self._saved_at = time.monotonic()
        self._running = True
        self._paused = False
        self._accepting = False
        # as much as the replay buffer holds: while learning is paused, the oldest experience is dropped
        self._pending: deque[dict[str, Array]] = deque(maxlen=settings.learner.buffer_capacity)
        self._condition = threading.Condition()
        # held while the learner is made or works
        self._busy = threading.Lock()
        self._busy.acquire()
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)
        self._thread.start()

    # ---- for the other thread

    def add(self, rows: dict[str, Array]) -> None:
        """Take transitions as columns: state (n, state_size), ctrl (n, nu), reward (n,), episode (n,)."""
        with self._condition:
            self._pending.append(rows)
            self._condition.notify()

    def accept(self, known: bool) -> None:
        """Whether it is known that experience is of this task and model: it waits until then."""
        with self._condition:
            self._accepting = known
            if not known:
                self._pending.clear()
            self._condition.notify()

    def configure(self, settings: BackgroundSettings) -> None:
        """Take new settings over before the next update."""
        with self._condition:
            self._settings = settings
            self._condition.notify()

    def pause(self, on: bool) -> None:
        """Pause or continue learning; experience is kept meanwhile."""
        with self._condition:
            self._paused = on
            self.fault = ""
            self._condition.notify()

    def save(self) -> tuple[bool, str]:
        """Write the checkpoint; success and a sentence."""
        with self._busy:
            return self._save()

    def load(self) -> tuple[bool, str]:
        """Go back to the checkpoint and publish its weights; success and a sentence."""
        if self._checkpoint is None:
            return False, "checkpoint_path is empty; set it to a file"
        try:
            with self._busy:
                learner = self._made_learner()
                self._load_checkpoint(learner, self._checkpoint)
                self._epoch = new_epoch()  # its sequence is older: planners would refuse it within an epoch
                self.fault = self._unsound = ""
                self._publish(learner)
        except PoloError as error:
            return False, str(error)
        return True, f"loaded update {learner.sequence} from {self._checkpoint.path}"

    def check(self) -> None:
        """Refuse to go on without the learning thread.

        Raises:
          PoloError: the thread has ended, and why.
        """
        if isinstance(self.failure, PoloError):
            raise self.failure
        if self.failure is not None:
            raise PoloError(f"the learning thread ended with {self.failure!r}; start the learner again")

    def progress(self) -> tuple[str, dict[str, object]]:
        """What the thread does, in a few words, and figures of learning."""
        learner = self._learner
        if learner is None:
            return "starting", {"weights_sequence": 0, "buffer": 0}
        # read before the other values: the current update is finished first, and counts
        resting = self._paused and not self._busy.locked()
        values: dict[str, object] = {"weights_sequence": learner.sequence, "buffer": len(learner.buffer)}
        if self._last is not None:
            values |= {
                "loss": f"{self._last.loss:.4g}",
                "target_mean": f"{self._last.target_mean:.4g}",
                "target_std": f"{self._last.target_std:.4g}",
            }
        if resting:
            return "paused", values
        if not learner.trained:
            return f"warm-up: {len(learner.labels)} of {learner.config.warmup_labels} labels", values
        return "learning", values

    def close(self) -> None:
        """Give up the current update and keep what was learned; takes a sampling round at most.

        A learner that is still being made has nothing to keep, and is not waited for: PyTorch's import takes
        seconds, and its thread ends with the process.
        """
        with self._condition:
            self._running = False
            self._condition.notify()
        if self._learner is None and self._thread.is_alive():
            return
        self._thread.join()
        if self._checkpoint is not None and self._learner is not None:
            if self.failure is not None:
                self._unsound = "failed"  # in the middle of an update, whose result may be in parts
            self._save()

    # ---- the learning thread

    def _run(self) -> None:
        try:
            try:
                self._learner = learner = self._start()
            finally:
                self._busy.release()
            while self._wait_for_experience():
                with self._busy:
                    self._work(learner)
        except BaseException as error:  # `check` reports it to the other thread, which stops the node
            if not isinstance(error, PoloError):
                self._outputs.error(f"the learning thread ended:\n{traceback.format_exc()}")
            self.failure = error

    def _start(self) -> "Learner":
        """Create the learner and read its checkpoint or weights."""
        import torch

        from polo_ros.learner.learner import Learner

        torch.set_num_threads(1)  # the networks are tiny, and the planner needs the cores
        learner = Learner(self._task, self._applied.learner, seed=self._seed, threads=self._threads)
        if self._checkpoint is not None and self._checkpoint.exists():
            self._load_checkpoint(learner, self._checkpoint)
            self._outputs.info(f"resumed from {self._checkpoint.path} at update {learner.sequence}")
        elif self._weights_file:
            self._compare(learner.load(package_file(self._weights_file)))
        self._publish(learner)
        return learner

    def _wait_for_experience(self) -> bool:
        """Wait for the next update; False where the thread is to end."""
        with self._condition:
            self._condition.wait_for(lambda: not self._running or self._due())
            return self._running

    def _due(self) -> bool:
        fresh = sum(len(rows["state"]) for rows in self._pending)
        return self._accepting and not self._paused and fresh >= self._settings.learner.update_period

    def _work(self, learner: "Learner") -> None:
        """One update with all experience that has arrived."""
        with self._condition:
            if not self._due():  # paused in between: nobody who was told so sees a further update
                return
            pending, settings = list(self._pending), self._settings
            self._pending.clear()
        if pending:
            # one batch, so that the features of all rows are computed in one call
            columns = ("state", "ctrl", "reward", "episode")
            learner.add(*(np.concatenate([rows[name] for rows in pending]) for name in columns))
        if settings is not self._applied:
            self._applied = settings
            learner.configure(settings.learner)
            self._task.weights.update(settings.reward_weights)
        try:
            self._last = learner.update(self._check_running)
        except _ClosedError:
            return
        except PoloError as error:
            # the planner keeps its last good weights; learning waits until someone continues it
            if isinstance(error, ExplodedError):
                self._unsound = "exploded"
            self.fault = str(error)
            self._paused = True
            self._outputs.error(f"{error}; learning is paused")
        else:
            self._unsound = ""
            self._publish(learner)
        if time.monotonic() - self._saved_at > settings.checkpoint_period:
            self._save()

    def _check_running(self) -> None:
        if not self._running:
            raise _ClosedError

    # ---- on either thread, while the other one does not touch the learner

    def _made_learner(self) -> "Learner":
        if self._learner is None:
            raise PoloError("the learner could not be started")
        return self._learner

    def _load_checkpoint(self, learner: "Learner", file: CheckpointFile) -> None:
        identity = file.identity()
        self._compare(learner.load(file.path))
        file.accept(identity)

    def _compare(self, loaded: "Checkpoint") -> None:
        """Warn where a file's meaning differs from the settings in what is no reason to refuse it."""
        difference = loaded.origin.reward_difference(self._settings.reward_weights)
        if difference:
            self._outputs.warn(f"{loaded.what} were trained with other reward weights: {difference}")
        configured = self._settings.learner.prior_scale
        if loaded.value.prior_scale != configured:
            self._outputs.warn(
                f"prior_scale {loaded.value.prior_scale:g} of {loaded.what} replaces {configured:g}"
            )

    def _publish(self, learner: "Learner") -> None:
        if not learner.trained:
            return
        origin = Origin.of(self._task, learner.config.discount, self._epoch, learner.sequence)
        self._outputs.publish(encode_value(learner.value(), origin))

    def _save(self) -> tuple[bool, str]:
        if self._checkpoint is None:
            return False, "checkpoint_path is empty, so that nothing is kept; set it to a file"
        self._saved_at = time.monotonic()
        try:
            learner = self._made_learner()
            path = self._checkpoint.write(learner.dump(self._epoch), self._unsound)
        except PoloError as error:
            self._outputs.error(str(error))
            return False, str(error)
        if path != self._checkpoint.path:
            self._outputs.warn(f"{self._checkpoint.path} stays as it is; this learner's state is in {path}")
        return True, f"saved update {learner.sequence} to {path}"


def new_epoch() -> int:
    """The identity of a learner's run: random, since clocks may be wrong."""
    return secrets.randbits(62)
