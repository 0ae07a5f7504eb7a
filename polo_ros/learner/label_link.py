"""The messages between a learner and the process that speaks to Ray, and that process as the learner sees it.

Ray ends the process that has connected to a cluster when the cluster's head is lost for a minute. A learner
must outlive that: it never imports Ray, but starts a process that does (`polo_ros.learner.ray_driver`).
"""

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import polo_ros
from polo_ros.learner.label_worker import Batch, Weights, WorkerSettings
from polo_ros.learner.targets import PlanLabels

# until a process that was told to end is killed, in s
END_S = 5.0
# between two messages of the process, and until one that is silent counts as lost, in s
HEARTBEAT_S, SILENT_S = 5.0, 60.0
DRIVER = "from polo_ros.learner.ray_driver import main; main()"


@dataclass(frozen=True)
class Start:
    """The first message to the process: where Ray is, and what workers to make; see `LearnerConfig`."""

    address: str
    workers: int
    settings: WorkerSettings

    @property
    def place(self) -> str:
        """What to call it in sentences."""
        return f"Ray at {self.address}" if self.address else "Ray on this machine"


@dataclass(frozen=True)
class Cancelled:
    """A batch that needs no more labels."""

    number: int


@dataclass(frozen=True)
class Finished:
    """The labels of a batch."""

    number: int
    labels: PlanLabels


@dataclass(frozen=True)
class Failed:
    """A batch that a worker could not label, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Workers:
    """How many workers can label now, and what has happened to one; empty if nothing bad."""

    count: int
    reason: str = ""


@dataclass(frozen=True)
class Ended:
    """Nothing more comes, and why."""

    reason: str


Order = Weights | Batch | Cancelled
Message = Finished | Failed | Workers | Ended


class Link(Protocol):
    """A way to workers."""

    def send(self, order: Order) -> None:
        """Pass an order on; it is dropped where the link has ended."""

    def receive(self, timeout: float) -> Message | None:
        """The next message, waiting up to so many s for it; None where there is none."""

    def close(self) -> None:
        """End the workers; there are no messages afterwards."""


class RayLink:
    """The process that speaks to Ray; see `Link`.

    Threads write to it and read from it, so that the learner never waits for it longer than it wants to.

    Args:
      start: what it is told first.
    """

    def __init__(self, start: Start) -> None:
        self._place = start.place
        self._socket, theirs = socket.socketpair()
        folder = str(Path(polo_ros.__file__).parents[1])
        path = os.pathsep.join(part for part in (folder, os.environ.get("PYTHONPATH", "")) if part)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": path},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the learner, which ends this process itself
            )
        self._connection = Connection(os.dup(self._socket.fileno()))
        self._orders: queue.SimpleQueue[Order | Start | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._heard, self._heard_at = False, time.monotonic()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._write, self._read)]
        for thread in self._threads:
            thread.start()
        self._orders.put(start)

    def send(self, order: Order) -> None:
        """See `Link.send`."""
        self._orders.put(order)

    def receive(self, timeout: float) -> Message | None:
        """See `Link.receive`."""
        try:
            return self._messages.get(timeout=timeout) if timeout else self._messages.get_nowait()
        except queue.Empty:
            if time.monotonic() - self._heard_at > SILENT_S:
                return Ended(f"{self._place} has not answered for {SILENT_S:g} s")
            return None

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the reader says that the process has ended
            while (order := self._orders.get()) is not None:
                self._connection.send(order)

    def _read(self) -> None:
        try:
            while True:
                self._messages.put(self._connection.recv())
                self._heard, self._heard_at = True, time.monotonic()
        except (EOFError, OSError):
            self._messages.put(Ended(f"the connection to {self._place} was lost"))

    def close(self) -> None:
        """See `Link.close`: the process ends when nobody is at the other end."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._orders.put(None)
        for thread in self._threads:
            thread.join()
        self._connection.close()
        self._socket.close()
        try:
            # one that has not spoken yet is starting Ray, and does not listen
            self._process.wait(END_S if self._heard else 0.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
