"""The process between a learner and Ray: it makes workers, hands batches to them, and replaces lost ones.

`polo_ros.learner.label_link` starts this process and lists the messages.
"""

import contextlib
import math
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from polo_ros.learner.label_link import (
    HEARTBEAT_S,
    Cancelled,
    Ended,
    Failed,
    Finished,
    Message,
    Start,
    Workers,
)
from polo_ros.learner.label_worker import Batch, LabelWorker, Weights
from polo_ros.learner.ray_cluster import first_sentence, use_ray

# batches that a worker holds: one that it labels, and one that is there when it has finished
HELD = 2
# until a worker that labels one batch counts as hung, in s
OVERDUE_S = 120.0
# workers lost in a row, without a batch finished between them, until no more are made
LOSSES = 20
# until it is said that workers do not start, in s
HINT_S = 60.0
# until new orders are looked for while results are waited for, in s
POLL_S = 0.02
# of the object store of a Ray of our own, in bytes: it holds weights and a few batches
STORE_BYTES = 256 << 20


@dataclass
class _Worker:
    """An actor, the answer to `start` until it has come, and the batches that it holds by their answers."""

    actor: Any
    starting: Any
    host: str = ""
    held: dict[Any, Batch] = field(default_factory=dict)
    since: float = 0.0  # when it began with the oldest of them

    @property
    def ready(self) -> bool:
        """Whether it can label."""
        return self.starting is None


class Driver:
    """Workers on Ray, and what they are to label; see `Link`.

    Args:
      connection: to the learner.
      start: see `Start`.
    """

    def __init__(self, connection: Connection, start: Start) -> None:
        self._connection = connection
        self._settings = start.settings
        threads = start.settings.threads
        cpus = use_ray(start.address, start.workers * threads or None, object_store_memory=STORE_BYTES)
        actor = ray.remote(LabelWorker).options(num_cpus=threads, max_restarts=0)
        self._make_actor = actor.remote
        self._workers = [self._make_worker() for _ in range(start.workers or max(cpus // threads, 1))]
        # by the number of the update; those of finished updates are dropped
        self._weights: dict[int, Any] = {}
        self._waiting: deque[Batch] = deque()
        self._losses, self._loss = 0, ""
        self._beat_at = 0.0
        self._hint_at = time.monotonic() + HINT_S

    def _make_worker(self) -> _Worker:
        actor = self._make_actor(self._settings)
        return _Worker(actor, actor.start.remote())

    def run(self) -> None:
        """Work until the learner has closed its end.

        Raises:
          EOFError, OSError: it has.
          RuntimeError: no worker could be kept.
        """
        while self._workers:
            self._take_orders()
            self._hand_out()
            self._wait()
            self._end_overdue()
            self._hint()
            if time.monotonic() > self._beat_at:
                self._report()
        raise RuntimeError(self._loss)

    def _hint(self) -> None:
        """Say once that workers have been waiting for long."""
        waiting = sum(not worker.ready for worker in self._workers)
        if waiting and time.monotonic() > self._hint_at:
            self._hint_at = math.inf
            self._report(
                f"Ray has not started {waiting} of {len(self._workers)} workers yet: it has no free CPUs"
            )

    def _say(self, message: Message) -> None:
        self._connection.send(message)

    def _report(self, reason: str = "") -> None:
        """Say how many workers can label, now and at every heartbeat."""
        self._beat_at = time.monotonic() + HEARTBEAT_S
        self._say(Workers(sum(worker.ready for worker in self._workers), reason))

    def _take_orders(self) -> None:
        """Take what the learner has sent; wait for it where no worker has anything to do."""
        busy = any(worker.held or not worker.ready for worker in self._workers)
        while self._connection.poll(0.0 if busy else HEARTBEAT_S):
            order = self._connection.recv()
            if isinstance(order, Weights):
                self._weights[order.update] = ray.put(order)
            elif isinstance(order, Batch):
                self._waiting.append(order)
            elif isinstance(order, Cancelled):
                self._cancel(order.number)
            busy = True

    def _cancel(self, number: int) -> None:
        """Hand a batch out no more; one that is with a worker already is finished there for nothing."""
        self._waiting = deque(batch for batch in self._waiting if batch.number != number)

    def _hand_out(self) -> None:
        """Give waiting batches to the workers that hold the fewest."""
        while self._waiting:
            free = [worker for worker in self._workers if worker.ready and len(worker.held) < HELD]
            if not free:
                return
            worker = min(free, key=lambda each: len(each.held))
            batch = self._waiting.popleft()
            answer = worker.actor.solve.remote(batch, self._weights[batch.update])
            if not worker.held:
                worker.since = time.monotonic()
            worker.held[answer] = batch

    def _wait(self) -> None:
        """Take the answers that have come."""
        awaited: dict[Any, _Worker] = {}
        for worker in self._workers:
            awaited |= dict.fromkeys(worker.held, worker)
            if not worker.ready:
                awaited[worker.starting] = worker
        if not awaited:
            return
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=POLL_S)
        for answer in ready:
            worker = awaited[answer]
            if answer == worker.starting:
                self._started(worker)
            else:
                self._finished(worker, answer)
        self._drop_weights()

    def _started(self, worker: _Worker) -> None:
        try:
            worker.host, refusal = ray.get(worker.starting)
        except RayError as error:
            self._lose(worker, first_sentence(error))
            return
        if refusal:
            self._workers.remove(worker)
            ray.kill(worker.actor)
            self._loss = f"a worker on {worker.host} cannot label: {refusal}"
            self._report(self._loss)
            return
        worker.starting = None
        self._report()

    def _finished(self, worker: _Worker, answer: Any) -> None:
        batch = worker.held[answer]
        try:
            labels = ray.get(answer)
        except RayTaskError as error:  # its code has raised: it would do so again
            self._say(Failed(batch.number, first_sentence(error.cause)))
        except RayError as error:
            self._lose(worker, first_sentence(error))
            return
        else:
            self._losses = 0
            self._say(Finished(batch.number, labels))
        del worker.held[answer]
        worker.since = time.monotonic()

    def _lose(self, worker: _Worker, reason: str) -> None:
        """Put the batches of a lost worker first in the queue, and make another worker in its place."""
        batches = sorted(worker.held.values(), key=lambda batch: batch.number)
        self._waiting.extendleft(reversed(batches))
        self._workers.remove(worker)
        ray.kill(worker.actor)
        self._losses += 1
        if self._losses <= LOSSES:
            self._workers.append(self._make_worker())
        where = f" on {worker.host}" if worker.host else ""
        numbers = ", ".join(str(batch.number) for batch in batches)
        again = f"; batches labelled again: {numbers}" if batches else ""
        self._loss = f"a worker{where} was lost ({reason})"
        self._report(f"{self._loss}{again}")

    def _end_overdue(self) -> None:
        """Replace workers that do not answer, as those on a machine that has lost its network."""
        for worker in list(self._workers):
            if worker.held and time.monotonic() - worker.since > OVERDUE_S:
                self._lose(worker, f"it has labelled one batch for {OVERDUE_S:g} s")

    def _drop_weights(self) -> None:
        """Forget the weights that no batch needs, but for the newest."""
        batches = [*self._waiting, *(batch for worker in self._workers for batch in worker.held.values())]
        needed = {batch.update for batch in batches} | {max(self._weights, default=0)}
        self._weights = {update: stored for update, stored in self._weights.items() if update in needed}


def main() -> None:
    """Serve the learner at the other end of the socket whose descriptor is the first argument."""
    connection = Connection(int(sys.argv[1]))
    start: Start = connection.recv()
    try:
        Driver(connection, start).run()
    except EOFError:
        pass  # the learner has ended
    except Exception as error:  # whatever Ray raises: the learner goes on without it
        with contextlib.suppress(OSError):
            connection.send(Ended(f"{start.place} could not be used ({first_sentence(error)})"))
