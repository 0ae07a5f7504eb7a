"""Controllers of the cart-pole without ROS: what they put out, and states for them."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.controller import Controller
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import RealTimeController
from polo_ros.planner import PlannerConfig
from polo_ros.tasks import Task

DEADLINE = 60.0  # s of wall time; only a failing test takes as long
PERIOD = NANOSECONDS // 50  # of the cart-pole
Make = Callable[..., Any]


class Results:
    """What a controller puts out, in order, and the clock it reads."""

    def __init__(self) -> None:
        self.now = 0
        self.events: list[tuple[str, Any]] = []
        self._condition = threading.Condition()

    def outputs(self) -> ControllerOutputs:
        """Outputs that append to `events`."""
        return ControllerOutputs(
            send=lambda ctrl, stamp, _: self._add("send", (ctrl, stamp)),
            record=lambda transitions: self._add("record", transitions),
            show=lambda report: self._add("show", report),
            warn=lambda text: self._add("warn", text),
        )

    def _add(self, kind: str, content: Any) -> None:
        with self._condition:
            self.events.append((kind, content))
            self._condition.notify_all()

    def of(self, kind: str) -> list[Any]:
        """The contents of one kind of events."""
        with self._condition:
            return [content for name, content in self.events if name == kind]

    def wait(self, kind: str, count: int) -> list[Any]:
        """Until there are so many events of a kind."""

        def enough() -> bool:
            return sum(name == kind for name, _ in self.events) >= count

        with self._condition:
            assert self._condition.wait_for(enough, DEADLINE), f"{count} of {kind} in {self.events}"
        return self.of(kind)


def settings(task: Task, node: PlannerNodeConfig, **values: Any) -> ControllerSettings:
    """Settings with some of the node's values replaced."""
    changed = {**vars(node), **values}
    weights = {term.name: term.weight for term in task.terms}
    return ControllerSettings(PlannerNodeConfig(**changed), PlannerConfig(horizon=5, rollouts=8), weights)


def add_state(controller: Controller, stamp: int, hinge: float = 3.0) -> bool:
    return controller.add_joints(np.array([0.0, hinge]), np.zeros(2), stamp)


def tick(controller: RealTimeController, results: Results, now: int) -> Array:
    """A control tick at a time in ns; the control sent, (nu,)."""
    results.now = now
    controller.tick()
    ctrl: Array = results.of("send")[-1][0]
    return ctrl


def run(controller: RealTimeController, results: Results, stamps: list[int]) -> None:
    """At each time in ns a control tick, and then a state and its plan."""
    for stamp in stamps:
        tick(controller, results, stamp)
        add_state(controller, stamp)
        results.wait("show", len(results.of("show")) + 1)
