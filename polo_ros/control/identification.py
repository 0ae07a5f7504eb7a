"""Identification online: transitions in, a better model for planner and prediction out."""

import time
from collections import deque

import numpy as np

from polo_ros.control.command_history import Transition
from polo_ros.planner.identification import ModelFit
from polo_ros.planner.models import ModelErrors
from polo_ros.tasks.task import Task

# transitions that a fit is made of, and how many new ones it awaits
KEPT, AWAITED = 200, 50
# how far from one control period apart two states of a transition may be, as a share of it
JITTER = 0.02
Pairs = list[tuple[Transition, Transition]]


class Identification:
    """Keeps the newest transitions and fits the model to them. `fit` may run on another thread.

    Args:
      task: gives model and control period.
      names: the factors to find, see `polo_ros.planner.identification`.
      period: of control, in ns.

    Attributes:
      errors: found last.
      seconds: that the last fit took; 0 before the first.
    """

    def __init__(self, task: Task, names: tuple[str, ...], period: int) -> None:
        self.errors = ModelErrors()
        self.seconds = 0.0
        self._names = names
        self._fit = ModelFit(task, names)
        self._period = period
        self._last: Transition | None = None
        self._pairs: deque[tuple[Transition, Transition]] = deque(maxlen=KEPT)
        self._new = 0

    def add(self, transitions: list[Transition]) -> bool:
        """Take transitions in order; whether it is time for a fit."""
        for transition in transitions:
            last, self._last = self._last, transition
            if last is None or last.episode != transition.episode:
                continue
            step = transition.snapshot.stamp - last.snapshot.stamp
            if abs(step - self._period) <= JITTER * self._period:
                self._pairs.append((last, transition))
                self._new += 1
        return self._new >= AWAITED

    def take(self) -> Pairs:
        """The transitions that the next fit is made of."""
        self._new = 0
        return list(self._pairs)

    def fit(self, pairs: Pairs) -> ModelErrors:
        """Fit the model to transitions."""
        began = time.perf_counter()
        states = np.array([before.snapshot.state for before, _ in pairs])
        controls = np.array([before.ctrl for before, _ in pairs])
        reached = np.array([after.snapshot.state for _, after in pairs])
        self.errors = self._fit.fit(states, controls, reached, self.errors)
        self.seconds = time.perf_counter() - began
        return self.errors

    def values(self) -> dict[str, object]:
        """What has been found, for /diagnostics."""
        if not self.seconds:
            return {}
        found: dict[str, object] = {
            f"identified_{name}": f"{getattr(self.errors, name):.3f}" for name in self._names
        }
        return found | {"identification_time": f"{self.seconds:.3f}"}
