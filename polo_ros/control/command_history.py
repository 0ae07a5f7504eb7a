"""The commands that were really sent, and which of them acted in which state; knows no ROS."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.state import Snapshot
from polo_ros.tasks.task import Task

# how far back commands are remembered, in ns: longer than the age at which states are stale
SPAN = 1_000_000_000


@dataclass(frozen=True)
class Command:
    """A control (nu,), when it was sent, in ns, and whether a plan or the safe action wanted it."""

    time: int
    ctrl: Array
    planned: bool


@dataclass(frozen=True)
class Transition:
    """A state that was acted in by a plan, its episode and the control that acted, (nu,)."""

    snapshot: Snapshot
    episode: int
    ctrl: Array


def rewards(task: Task, visits: list[Transition]) -> Array:
    """The reward of each of some visits, (n,)."""
    if not visits:
        return np.empty(0)
    states = np.stack([visit.snapshot.state for visit in visits])
    return task.reward(task.observe(states, np.stack([visit.ctrl for visit in visits])))


class CommandHistory:
    """Remembers commands and pairs each state with the one that acted from it on.

    A command acts until the next one. Where it changes within a control period, the one that acts for
    the greater part of it counts. Any thread may call.

    Args:
      period: of control, in ns.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._half = period // 2
        self._lock = threading.Lock()
        self._commands: deque[Command] = deque()
        self._waiting: deque[tuple[Snapshot, int]] = deque()
        self._visits: list[Transition] = []
        self._next: int | None = None

    def add_state(self, snapshot: Snapshot, episode: int) -> None:
        """A new state; of a robot that states itself more often than it is controlled, one a period."""
        with self._lock:
            stamp = snapshot.stamp
            due = stamp if self._next is None else self._next
            if stamp < due - self._half:
                return
            self._next = max(due, stamp - self._half) + self._period
            self._waiting.append((snapshot, episode))

    def add_command(self, command: Command) -> None:
        """A command goes out, later than all before: what acted earlier is now known."""
        with self._lock:
            while self._waiting and self._waiting[0][0].stamp + self._half < command.time:
                snapshot, episode = self._waiting.popleft()
                acted = self._newest(snapshot.stamp + self._half)
                if acted is not None and acted.planned:
                    self._visits.append(Transition(snapshot, episode, acted.ctrl))
            self._commands.append(command)
            while self._commands[0].time < command.time - SPAN:
                self._commands.popleft()

    def acting(self, time: int) -> Array | None:
        """The control (nu,) of the period that begins at a time in ns; None where it is yet to be sent.

        Before the first command that is remembered, that one.
        """
        with self._lock:
            middle = time + self._half
            if not self._commands or middle >= self._commands[-1].time + self._period:
                return None
            return (self._newest(middle) or self._commands[0]).ctrl

    def pop_transitions(self) -> list[Transition]:
        """The visits known since the last call, in order, each once."""
        with self._lock:
            visits, self._visits = self._visits, []
            return visits

    def clear(self) -> None:
        """Forget commands, and the states that await theirs, as after a jump of time."""
        with self._lock:
            self._commands.clear()
            self._waiting.clear()
            self._next = None

    def _newest(self, time: int) -> Command | None:
        return next((command for command in reversed(self._commands) if command.time <= time), None)
