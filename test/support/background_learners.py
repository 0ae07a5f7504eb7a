"""Learners on a thread of their own, of the cart-pole, and what they publish."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import decode_value
from polo_ros.planner.mppi import MPPI
from polo_ros.tasks import Task

DEADLINE = 60.0  # s of wall time; only a failing test takes as long


SMALL = LearnerConfig(
    warmup_labels=1, gradient_steps=1, target_states=2, update_period=4, target_horizon=4, target_rollouts=8
)


class Published:
    """The weights that a learner publishes, as origins."""

    def __init__(self, task: Task) -> None:
        self.origins: list[Origin] = []
        self._task = task
        self._condition = threading.Condition()

    def add(self, content: bytes) -> None:
        with self._condition:
            self.origins.append(decode_value(content, self._task)[1])
            self._condition.notify_all()

    def wait(self, count: int) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.origins) >= count, DEADLINE)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


Make = Callable[..., tuple[BackgroundLearner, Published]]


def rows(count: int = 4) -> dict[str, Array]:
    """Transitions of a cart-pole at rest."""
    states = np.tile([0.0, 3.0, 0.0, 0.0], (count, 1))
    return {
        "state": states, "ctrl": np.zeros((count, 1)), "reward": np.zeros(count), "episode": np.zeros(count),
    }  # fmt: skip


def hold_updates(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Hold every sampling round: set when one has begun, and set by the test to let them go on."""
    begun, go_on = threading.Event(), threading.Event()
    iterate = MPPI.iterate

    def held_round(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(DEADLINE)
        return iterate(*arguments)

    monkeypatch.setattr(MPPI, "iterate", held_round)
    return begun, go_on


def started(learner: BackgroundLearner) -> None:
    """Wait until the learner has been created: what saves waits for it."""
    learner.save().result(DEADLINE)


def learn(learner: BackgroundLearner, published: Published, updates: int = 1) -> None:
    """Let a learner make some updates."""
    learner.accept(True)
    for _ in range(updates):
        before = len(published.origins)
        learner.add(rows())
        published.wait(before + 1)
