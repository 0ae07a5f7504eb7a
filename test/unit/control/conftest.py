"""Fixtures of the controllers' tests."""

import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from controllers import Make, Results, settings

from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.controller import Controller
from polo_ros.control.joints import JointMapping
from polo_ros.control.lockstep import LockstepController
from polo_ros.control.realtime import RealTimeController
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks import make_task


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def make(results: Results) -> Generator[Make]:
    """Makes controllers of the cart-pole, and closes them."""
    made: list[Controller] = []

    def make_controller(
        lockstep: bool, monotonic: Callable[[], int] = time.monotonic_ns, **values: Any
    ) -> Controller:
        task = make_task("cartpole_swingup")  # its own, since controllers change its weights
        node = PlannerNodeConfig(lockstep=lockstep, control_rate=50.0, autostart=True)
        planner = Planner(task, PlannerConfig(horizon=5, rollouts=8), seed=1, threads=1)
        cls = LockstepController if lockstep else RealTimeController
        controller = cls(
            planner,
            JointMapping(task.model),
            settings(task, node, **values),
            lambda: results.now,
            results.outputs(),
            monotonic=monotonic,
        )
        made.append(controller)
        return controller

    yield make_controller
    for controller in made:
        controller.close()
