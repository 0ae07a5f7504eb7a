"""What is drawn for the safety gate: robots, parameters of safety and plans."""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.faults.robots import make_arm
from polo_ros.arrays import Array
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.errors import PoloError
from polo_ros.planner import Plan, Planner, PlannerConfig, PlanReport
from polo_ros.tasks import Task, make_task

ROBOTS = ("cartpole", "servos", "mixed")
DEADLINE_S = 60.0


@cache
def task_of(robot: str) -> Task:
    """The task of a robot by name."""
    if robot == "cartpole":
        return make_task("cartpole_swingup")
    return make_arm("servo" if robot == "servos" else "motor")


def draw_config(rng: np.random.Generator, lockstep: bool, autostart: bool, compensates: bool) -> Any:
    """A planner node's parameters with any parameters of safety."""

    def one(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    return PlannerNodeConfig(
        lockstep=lockstep,
        control_rate=50.0,
        autostart=autostart,
        latency_compensation=compensates,
        state_timeout=one(0.05, 0.1, 0.5, 2.0),
        silence_timeout=60.0,  # of wall time, of which a sequence takes next to nothing
        max_effort_scale=one(1.0, 0.3, 0.0),
        ramp_time=one(0.0, 0.0, 0.1, 1.0),
        max_rate=one(0.0, 0.0, 0.5, 5.0),
        safe_action=one("zero", "damping", "hold"),
        damping=one(0.0, 5.0, 100.0),
        neutral_rate=one(0.0, 0.0, 0.5),
        disabled_action=one("silent", "hold_measured"),
    )


class DrawnPlanner(Planner):
    """A planner whose plans are drawn, and which stops in the middle of one where it is told to.

    Attributes:
      slow: whether plans stop until `finish`.
      stopped: whether one stands still now.
      result: what the next plans are like: "good", "wild", "diverged" or "nan".
      on_plan: called with each plan when it is ready and whether it may be followed.
    """

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__(task, PlannerConfig(horizon=4, rollouts=2), threads=1)
        self.condition = threading.Condition()
        self.slow = self.stopped = False
        self.result = "good"
        self.on_begin: Callable[[], None] = lambda: None
        self.on_plan: Callable[[Plan, bool], None] = lambda plan, good: None
        self._draw = np.random.default_rng(seed)

    def plan(self, state: Array, now: float) -> PlanReport:
        """A drawn plan, ready once it is let go."""
        self._check_state(state)
        self.on_begin()
        with self.condition:
            self.stopped = self.slow
            self.condition.notify_all()
            if not self.condition.wait_for(lambda: not self.stopped, DEADLINE_S):
                raise PoloError("the plan was never let go")
        low, high = self.task.control_low, self.task.control_high
        middle, half = (low + high) / 2, (high - low) / 2
        size = 1e9 if self.result == "wild" else 1.5
        count = int(self._draw.integers(2, 5))
        knots = middle + size * half * self._draw.uniform(-1.0, 1.0, (count, len(low)))
        if self.result == "nan":
            knots[-1] = np.nan
        self._sequence += 1
        spacing = float(self._draw.choice([0.02, 0.05]))
        plan = Plan(now, spacing, knots, "linear", self._sequence)
        valid = 0 if self.result == "diverged" else 2
        self.on_plan(plan, self.result in ("good", "wild"))
        view = self.task.view(np.zeros(self.task.model.nsensordata), knots[0].clip(low, high))
        return PlanReport(plan, view, 0.0, 1.0, valid, 0.0, 1, 0, self.task, None, 0.0)

    def finish(self) -> None:
        """Let a plan that stands still become ready."""
        with self.condition:
            self.stopped = False
            self.condition.notify_all()
