"""Labels made by workers elsewhere, an update later, and in this process where there is no worker."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.learner.checkpoint import Checkpoint
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.label_link import (
    Cancelled,
    Ended,
    Failed,
    Finished,
    Link,
    Message,
    RayLink,
    Start,
    Workers,
)
from polo_ros.learner.label_pool import Between, Labelled, LabelRequest
from polo_ros.learner.label_worker import Batch, BatchSolver, Weights, WorkerSettings
from polo_ros.learner.ports import Log
from polo_ros.learner.targets import PlanLabels
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.recipe import TaskRecipe
from polo_ros.tasks.task import Task

# between two calls of `between` while labels are waited for, in s
POLL_S = 0.05
# before the connection is tried again after it was lost, in s; twice as long at each further try
FIRST_RETRY_S, LAST_RETRY_S = 60.0, 3600.0


@dataclass
class _Open:
    """A request without an answer: its batches by number, and the labels that have come."""

    request: LabelRequest
    weights: Weights
    batches: dict[int, Batch]
    finished: dict[int, PlanLabels] = field(default_factory=dict)
    # batches that must be labelled in this process
    refused: set[int] = field(default_factory=set)

    def missing(self) -> list[int]:
        """The numbers of batches without labels."""
        return [number for number in self.batches if number not in self.finished]

    def answer(self) -> Labelled:
        """The labels of all batches in their order."""
        parts = [self.finished[number] for number in self.batches]
        return self.request, PlanLabels(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
        )


class RemotePool:
    """Hands out requests in batches, and answers each one when the next is handed in; see `LabelPool`.

    The learner acts and takes gradient steps while labels are made. When a request is answered does not
    depend on the workers, and the noise of a batch depends on its number alone: training gives the same
    result however many workers there are, and whichever of them are lost.

    Args:
      task, config: see `Learner`.
      seed: of the sampling noise.
      threads: of the rollouts where labels are made in this process.
      connect: makes the link to the workers.
      log: takes sentences about workers that come and go.

    Attributes:
      workers: how many can label at present.
    """

    def __init__(
        self,
        task: Task,
        config: LearnerConfig,
        seed: int,
        threads: int,
        connect: Callable[[], Link],
        log: Log,
    ) -> None:
        self.workers = 0
        self._task = task
        # the same with any number of workers, so that labels are, too
        self._batch_states = config.labels_batch
        # not used here, but kept in checkpoints for a learner that labels in its own process
        self._rng = np.random.default_rng(seed_of(seed, Stream.LABELS))
        self._solver = BatchSolver(task, config, seed, threads)
        self._connect = connect
        self._log = log
        self._link: Link | None = None
        self._retry_at, self._retry_s = 0.0, FIRST_RETRY_S
        self._said = ""
        self._open: deque[_Open] = deque()
        self._numbered = 0
        self._updates = 0

    def label(
        self, request: LabelRequest, value: ValueEnsemble, between: Between | None = None
    ) -> list[Labelled]:
        """See `LabelPool.label`: the answers to all requests before this one."""
        self._ensure_link()
        self._updates += 1
        weights = Weights(self._updates, value, dict(self._task.weights))
        batches = {}
        for start in range(0, len(request.states), self._batch_states):
            some = slice(start, start + self._batch_states)
            number = self._numbered
            batches[number] = Batch(number, weights.update, request.states[some], request.executed[some])
            self._numbered += 1
        job = _Open(request, weights, batches)
        self._open.append(job)
        self._send(job)
        return self._answer(len(self._open) - 1, between)

    def settle(self, between: Between | None = None) -> list[Labelled]:
        """See `LabelPool.settle`."""
        return self._answer(len(self._open), between)

    def _answer(self, count: int, between: Between | None) -> list[Labelled]:
        """The answers to the oldest requests; none is taken from the open ones before all are complete."""
        self._receive(0.0)  # workers that are there by now
        for job in islice(self._open, count):
            while job.missing():
                if between is not None:
                    between()
                self._advance(job, between)
        return [self._open.popleft().answer() for _ in range(count)]

    def _advance(self, job: _Open, between: Between | None) -> None:
        """Wait for a message, or label a batch in this process where nobody else will."""
        refused = [number for number in job.missing() if number in job.refused]
        here = refused or ([] if self.workers else job.missing())
        self._receive(0.0 if here else POLL_S)
        if not here or here[0] not in job.missing():
            return
        if self._link is not None:
            self._link.send(Cancelled(here[0]))
        job.finished[here[0]] = self._solver.solve(job.batches[here[0]], job.weights, between)

    # ---- the link

    def _ensure_link(self) -> None:
        """Connect where there is no link, and hand out anew what is open."""
        if self._link is not None or time.monotonic() < self._retry_at:
            return
        try:
            self._link = self._connect()
        except PoloError as error:
            self._lose_link(str(error))
            return
        for job in self._open:
            self._send(job)

    def _send(self, job: _Open) -> None:
        if self._link is not None:
            self._link.send(job.weights)
            for number in job.missing():
                self._link.send(job.batches[number])

    def _receive(self, timeout: float) -> None:
        """Take all messages that are there; wait for the first."""
        while self._link is not None:
            message = self._link.receive(timeout)
            if message is None:
                return
            self._take(message)
            timeout = 0.0

    def _take(self, message: Message) -> None:
        if isinstance(message, Workers):
            self._count(message)
        elif isinstance(message, Ended):
            self._lose_link(message.reason)
        else:
            # a batch that has its labels already is in no request: a second answer is of no effect
            job = next((job for job in self._open if message.number in job.missing()), None)
            if job is not None and isinstance(message, Finished):
                job.finished[message.number] = message.labels
            elif job is not None and isinstance(message, Failed):
                job.refused.add(message.number)
                self._log.warn(
                    f"batch {message.number} of labels failed on a worker ({message.reason}); it is labelled "
                    f"in this process"
                )

    def _count(self, message: Workers) -> None:
        """Note how many workers there are, and say what has changed."""
        if message.reason:
            self._log.warn(message.reason)
        if message.count and not self.workers:
            self._said, self._retry_s = "", FIRST_RETRY_S
            self._log.info(f"labels are made by workers on Ray, at present {message.count}")
        elif self.workers and not message.count:
            self._log.warn("no worker on Ray is left; labels are made in this process until one is back")
        self.workers = message.count

    def _lose_link(self, reason: str) -> None:
        if self._link is not None:
            self._link.close()
        self._link, self.workers = None, 0
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(2.0 * self._retry_s, LAST_RETRY_S)
        if reason != self._said:  # once, not at every try
            self._said = reason
            self._log.warn(f"{reason}; labels are made in this process")

    # ---- checkpoints

    def dump(self) -> dict[str, str]:
        """See `LabelPool.dump`; the labels of open requests are not in it."""
        return {
            "solver_rng": json.dumps(self._rng.bit_generator.state),
            "label_batches": str(self._numbered),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """See `LabelPool.restore`."""
        state = checkpoint.generator("solver_rng")
        # absent where the labels before were made in the learner's process
        numbered = checkpoint.count("label_batches") if "label_batches" in checkpoint.metadata else 0
        self._rng.bit_generator.state = state
        self._drop_open()
        self._numbered = numbered

    def _drop_open(self) -> None:
        """Forget the open requests. Their numbers may be given again, so that the link must end with them."""
        if self._link is not None and self._open:
            self._link.close()
            self._link, self.workers, self._retry_at = None, 0, 0.0
        self._open.clear()

    def close(self) -> None:
        """See `LabelPool.close`."""
        if self._link is not None:
            self._link.close()
        self._link, self.workers = None, 0
        self._open.clear()


def ray_pool(task: Task, config: LearnerConfig, seed: int, threads: int, log: Log) -> RemotePool:
    """A pool whose workers are actors on Ray; see `RemotePool` and `LearnerConfig`."""

    def connect() -> Link:
        require("ray", "labels: ray", "ray")
        settings = WorkerSettings(TaskRecipe.of(task), config, seed, config.labels_threads)
        return RayLink(Start(config.labels_address, config.labels_workers, settings))

    return RemotePool(task, config, seed, threads, connect, log)
