"""The commands that were sent, and which of them acted in which state."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.state import Snapshot
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View

# how far back commands are kept, in ns: longer than the age at which states are stale
KEPT_SPAN_NS = 1_000_000_000


@dataclass(frozen=True)
class Command:
    """A control (nu,), when it was sent, in ns, and whether a plan or the safe action gave it."""

    time: int
    ctrl: Array
    planned: bool


@dataclass(frozen=True)
class Transition:
    """A state in which a plan acted.

    Attributes:
      snapshot: the state.
      episode: which episode it belongs to.
      ctrl: the control that acted in it, (nu,).
      view: of the state under `ctrl`, where planning has computed it already.
    """

    snapshot: Snapshot
    episode: int
    ctrl: Array
    view: View | None = None


def rewards(task: Task, transitions: list[Transition]) -> Array:
    """The reward of each transition, (n,); views that are not known yet are computed in one call."""
    found = np.empty(len(transitions))
    unseen = []
    for index, transition in enumerate(transitions):
        if transition.view is None:
            unseen.append(index)
        else:
            found[index] = task.reward(transition.view)
    if unseen:
        states = np.stack([transitions[index].snapshot.state for index in unseen])
        controls = np.stack([transitions[index].ctrl for index in unseen])
        found[unseen] = task.reward(task.observe(states, controls))
    return found


class CommandHistory:
    """Keeps commands and pairs each state with the one that acted from it on.

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
        self._transitions: list[Transition] = []
        self._next_due: int | None = None

    def add_state(self, snapshot: Snapshot, episode: int) -> None:
        """A new state; where states come more often than commands, one a control period is kept."""
        with self._lock:
            stamp = snapshot.stamp
            due = stamp if self._next_due is None else self._next_due
            if stamp < due - self._half:
                return
            self._next_due = max(due, stamp - self._half) + self._period
            self._waiting.append((snapshot, episode))

    def add_command(self, command: Command) -> None:
        """A command goes out, later than all before: it is now known what acted in earlier states."""
        with self._lock:
            while self._waiting and self._waiting[0][0].stamp + self._half < command.time:
                snapshot, episode = self._waiting.popleft()
                acted = self._newest(snapshot.stamp + self._half)
                if acted is not None and acted.planned:
                    self._transitions.append(Transition(snapshot, episode, acted.ctrl))
            self._commands.append(command)
            while self._commands[0].time < command.time - KEPT_SPAN_NS:
                self._commands.popleft()

    def acting(self, time: int) -> Array | None:
        """The control (nu,) of the period that begins at a time in ns; None where it is yet to be sent.

        Before the oldest command that is kept, that one.
        """
        with self._lock:
            middle = time + self._half
            if not self._commands or middle >= self._commands[-1].time + self._period:
                return None
            return (self._newest(middle) or self._commands[0]).ctrl

    def pop_transitions(self) -> list[Transition]:
        """The transitions known since the last call, in order, each once."""
        with self._lock:
            transitions, self._transitions = self._transitions, []
            return transitions

    def clear(self) -> None:
        """Forget commands, and the states that await theirs, as after a jump of time."""
        with self._lock:
            self._commands.clear()
            self._waiting.clear()
            self._next_due = None

    def _newest(self, time: int) -> Command | None:
        return next((command for command in reversed(self._commands) if command.time <= time), None)
