"""Learning on a thread of its own while experience keeps arriving; PyTorch is imported there alone."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.weights import Origin, check_origin, encode_value, package_file
from polo_ros.tasks.task import Task

if TYPE_CHECKING:
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
    """Where results go; called on the learning thread, and by whoever calls a method.

    Attributes:
      publish: new weights, as bytes.
      info, error: a sentence for the log.
    """

    publish: Callable[[bytes], None]
    info: Callable[[str], object]
    error: Callable[[str], object]


class _ClosedError(Exception):
    """The learner was closed during an update."""


class BackgroundLearner:
    """A learner on a thread of its own: one update whenever enough has been experienced.

    The thread first makes the learner, which takes as long as PyTorch's import. All methods are for one
    other thread; those that save, load or close wait for the update at hand.

    Args:
      task: the world and what is wanted in it.
      settings: see `configure`.
      outputs: where results go.
      seed: of everything random in the learner.
      threads: of the targets' rollouts.
      checkpoint: file to resume from and to save to; None keeps nothing.
      weights_file: value function to start from without a checkpoint; empty for a fresh one.

    Attributes:
      failure: what ended the thread; None while it runs.
      fault: why learning paused itself; empty where it did not.

    Raises:
      PoloError: the file to start from is missing, corrupted, or of another task or model.
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
        self._checkpoint = checkpoint
        self._start_file: Path | None = None
        if checkpoint is not None and checkpoint.exists():
            self._start_file = checkpoint
        elif weights_file:
            self._start_file = package_file(weights_file)
        if self._start_file is not None:  # a bad file is refused before PyTorch is imported
            _, metadata = read_tensors(self._start_file, "the weights")
            check_origin(metadata, task, f"the weights in {self._start_file}")
        self._learner: Learner | None = None
        self._last: UpdateReport | None = None
        self._epoch = time.time_ns()
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
        """Stop or go on learning; experience is kept meanwhile."""
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
                learner.load(self._checkpoint)
                self._epoch = time.time_ns()  # its sequence is older, so that planners would refuse it
                self._publish(learner)
        except PoloError as error:
            return False, str(error)
        return True, f"loaded update {learner.sequence} from {self._checkpoint}"

    def progress(self) -> tuple[str, dict[str, object]]:
        """One word for what the thread does, and how learning goes."""
        learner = self._learner
        if learner is None:
            return "starting", {"weights_sequence": 0, "buffer": 0}
        # asked before anything else is read: an update at hand is finished first, and counts
        resting = self._paused and not self._busy.locked()
        values: dict[str, object] = {"weights_sequence": learner.sequence, "buffer": len(learner.buffer)}
        if self._last is not None:
            values |= {
                "loss": f"{self._last.loss:.4g}",
                "target_mean": f"{self._last.target_mean:.4g}",
                "target_std": f"{self._last.target_std:.4g}",
            }
        return "paused" if resting else "learning", values

    def close(self) -> None:
        """Give up the update at hand and keep what was learned; takes a sampling round at most.

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
        except BaseException as error:  # handed to the other thread, which reports it and stops
            self.failure = error

    def _start(self) -> "Learner":
        """Make the learner and read what it starts from."""
        import torch

        from polo_ros.learner.learner import Learner

        torch.set_num_threads(1)  # the networks are tiny, and the planner needs the cores
        learner = Learner(self._task, self._applied.learner, seed=self._seed, threads=self._threads)
        if self._start_file is not None:
            learner.load(self._start_file)
            if self._start_file == self._checkpoint:
                self._outputs.info(f"resumed from {self._checkpoint} at update {learner.sequence}")
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
            # the planner keeps its last good weights; learning waits for a person
            self.fault = str(error)
            self._paused = True
            self._outputs.error(f"{error}; learning is paused")
        else:
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

    def _publish(self, learner: "Learner") -> None:
        origin = Origin(self._task.name, self._task.model_hash(), self._epoch, learner.sequence)
        self._outputs.publish(encode_value(learner.value(), origin))

    def _save(self) -> tuple[bool, str]:
        if self._checkpoint is None:
            return False, "checkpoint_path is empty, so that nothing is kept; set it to a file"
        self._saved_at = time.monotonic()
        try:
            learner = self._made_learner()
            learner.save(self._checkpoint, self._epoch)
        except PoloError as error:
            self._outputs.error(str(error))
            return False, str(error)
        return True, f"saved update {learner.sequence} to {self._checkpoint}"
