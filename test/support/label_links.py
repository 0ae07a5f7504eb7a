"""Links to workers that a test has in its hands, in place of the process that speaks to Ray."""

from collections import deque

from polo_ros.learner.label_link import Cancelled, Ended, Finished, Message, Order, Start, Workers
from polo_ros.learner.label_worker import Batch, LabelWorker, Weights


class SilentLink:
    """Says that there are so many workers, and then only what the test puts into `messages`."""

    def __init__(self, start: Start, workers: int = 2) -> None:
        self.start = start
        self.messages: deque[Message] = deque([Workers(workers)])
        self.weights: dict[int, Weights] = {}
        self.batches: list[Batch] = []
        self.cancelled: list[int] = []
        self.sent: list[int] = []
        self.closed = False

    def send(self, order: Order) -> None:
        if isinstance(order, Weights):
            self.weights[order.update] = order
        elif isinstance(order, Cancelled):
            self.cancelled.append(order.number)
        else:
            self.batches.append(order)
            self.sent.append(order.number)

    def receive(self, timeout: float) -> Message | None:
        return self.messages.popleft() if self.messages else None

    def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        self.messages.append(Ended("the cluster is gone"))


class WorkingLink(SilentLink):
    """A worker labels what comes, the newest first, when the learner waits for it."""

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._worker = LabelWorker(start.settings)
        assert self._worker.start()[1] == ""

    def receive(self, timeout: float) -> Message | None:
        if not self.messages and timeout:
            self.answer(self.batches.pop())
        return super().receive(timeout)

    def answer(self, batch: Batch) -> None:
        """Label a batch, and put the answer into the messages."""
        labels = self._worker.solve(batch, self.weights[batch.update])
        self.messages.append(Finished(batch.number, labels))
