"""Learning on a thread of its own while experience arrives; PyTorch is imported there alone."""

import contextlib
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.incoming import IncomingExperience
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.ports import BackgroundOutputs, BackgroundSettings, Log
from polo_ros.learner.store import Answer, LearnerStore
from polo_ros.learner.weights import encode_value
from polo_ros.tasks.task import Task

if TYPE_CHECKING:
    from polo_ros.learner.learner import Learner, UpdateReport

# with this niceness a planner on the same cores gets about nine tenths of one that it shares with the learner
NICENESS = 10


class _ClosedError(Exception):
    """The learner was closed during an update."""


class BackgroundLearner:
    """A learner on a thread of its own: one update whenever there is enough new experience.

    The thread first creates the learner, which takes as long as PyTorch's import, and reads the checkpoint.
    All methods are for one other thread; only `close` waits.

    Weights are published only after they have been loaded or trained: before its first gradient step a
    learner has random values, which must not replace those that a planner has loaded.

    Args:
      task: the world and what is wanted in it.
      settings: see `configure`.
      outputs: where results go.
      seed: of everything random in the learner.
      threads: of the targets' rollouts.
      checkpoint, weights_file: see `LearnerStore`.

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
        self._store = LearnerStore(checkpoint, weights_file, outputs.info, outputs.warn, outputs.error)
        self._learner: Learner | None = None
        self._last: UpdateReport | None = None
        self._epoch = new_epoch()
        self._running = True
        self._paused = False
        self._incoming = IncomingExperience(settings.learner.buffer_capacity)
        # what has come since the buffer was made or read belongs to streams from this number on
        self._first_stream = 0
        self._condition = threading.Condition()
        self._requests: deque[tuple[Callable[[Learner], Answer], Future[Answer]]] = deque()
        self._working = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="learning", daemon=True)
        self._thread.start()

    # ---- for the other thread

    def add(self, rows: dict[str, Array], source: str = "") -> None:
        """Take transitions of a robot, see `IncomingExperience`."""
        with self._condition:
            self._incoming.add(rows, source)
            self._condition.notify()

    def accept(self, known: bool, source: str = "") -> None:
        """Whether it is known that a robot's experience is of this task and model: it waits until then."""
        with self._condition:
            self._incoming.accept(known, source)
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

    def save(self) -> "Future[Answer]":
        """Ask for a checkpoint between two updates; the answer comes once it is written."""
        return self._ask(lambda learner: self._store.save(learner, self._epoch))

    def load(self) -> "Future[Answer]":
        """Ask to go back to the checkpoint and to publish its weights; the answer comes once that is done."""
        return self._ask(self._load)

    def _ask(self, act: Callable[["Learner"], Answer]) -> "Future[Answer]":
        future: Future[Answer] = Future()
        with self._condition:
            self._requests.append((act, future))
            self._condition.notify()
        if self._ended.is_set():
            self._refuse_requests()
        return future

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
        resting = self._paused and not self._working
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
        if self._learner is not None and self._store.keeps:
            if self.failure is not None:
                self._store.unsound = "failed"  # in the middle of an update, whose result may be in parts
            self._store.save(self._learner, self._epoch)
        if self._learner is not None:
            self._learner.close()

    # ---- the learning thread

    def _run(self) -> None:
        try:
            self._learner = learner = self._start()
            while self._wait_for_work():
                self._answer_requests(learner)
                self._working = True
                self._work(learner)
                self._working = False
        except BaseException as error:  # `check` reports it to the other thread, which stops the node
            if not isinstance(error, PoloError):
                self._outputs.error(f"the learning thread ended:\n{traceback.format_exc()}")
            self.failure = error
        finally:
            self._ended.set()
            self._refuse_requests()

    def _start(self) -> "Learner":
        """Create the learner and read its checkpoint or weights."""
        import torch

        from polo_ros.learner.learner import Learner

        torch.set_num_threads(1)  # the networks are tiny, and the planner needs the cores
        os.nice(NICENESS)  # of this thread and those that it starts
        log = Log(self._outputs.info, self._outputs.warn)
        learner = Learner(self._task, self._applied.learner, self._seed, self._threads, log)
        self._store.resume(learner, self._settings.reward_weights)
        self._first_stream = learner.buffer.next_stream
        self._publish(learner)
        return learner

    def _wait_for_work(self) -> bool:
        """Wait for a request or the next update; False where the thread is to end."""
        with self._condition:
            self._condition.wait_for(lambda: not self._running or self._requests or self._due())
            return self._running or bool(self._requests)

    def _answer_requests(self, learner: "Learner") -> None:
        while self._requests:
            act, future = self._requests.popleft()
            future.set_result(act(learner))

    def _refuse_requests(self) -> None:
        """Answer what comes after the thread's end."""
        reason = "the learner could not be started" if self._learner is None else "learning has ended"
        with contextlib.suppress(IndexError):  # either thread may take them
            while True:
                self._requests.popleft()[1].set_result((False, reason))

    def _load(self, learner: "Learner") -> Answer:
        answer = self._store.load(learner, self._settings.reward_weights)
        if answer[0]:
            self._epoch = new_epoch()  # within one epoch, planners would refuse its lower sequence
            self.fault = ""
            self._first_stream = learner.buffer.next_stream
            self._publish(learner)
        return answer

    def _due(self) -> bool:
        enough = len(self._incoming) >= self._settings.learner.update_period
        return self._running and not self._paused and enough

    def _work(self, learner: "Learner") -> None:
        """One update with all experience that has arrived."""
        with self._condition:
            if not self._due():  # paused meanwhile: no update may follow the answer to the request
                return
            (columns, streams), settings = self._incoming.take(), self._settings
        states, ctrl, rewards, episodes = columns
        learner.add(states, ctrl, rewards, episodes, streams=self._first_stream + streams)
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
                self._store.unsound = "exploded"
            self.fault = str(error)
            self._paused = True
            self._outputs.error(f"{error}; learning is paused")
        else:
            self._store.unsound = ""
            self._publish(learner)
        if self._store.keeps and time.monotonic() - self._store.saved_at > settings.checkpoint_period:
            self._store.save(learner, self._epoch)

    def _check_running(self) -> None:
        if not self._running:
            raise _ClosedError

    def _publish(self, learner: "Learner") -> None:
        if not learner.trained:
            return
        origin = Origin.of(self._task, learner.config.discount, self._epoch, learner.sequence)
        self._outputs.publish(encode_value(learner.value(), origin))
