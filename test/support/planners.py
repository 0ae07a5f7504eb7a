"""Small planners, and the state that they start from."""

from typing import Any

import numpy as np

from polo_ros.arrays import Array
from polo_ros.parameters.schema import build
from polo_ros.planner import Plan, Planner, PlannerConfig
from polo_ros.tasks import Task

SMALL = {"horizon": 12, "rollouts": 10, "noise_knots": 4, "noise_sigma": 0.3, "elites": 1}
START = 100.0


def config(**changes: Any) -> PlannerConfig:
    return build(PlannerConfig, SMALL | changes)


def planner_for(task: Task, seed: int = 0, threads: int = 1, **changes: Any) -> Planner:
    return Planner(task, config(**changes), seed, threads)


def start(task: Task) -> Array:
    return task.start_state(np.random.default_rng(1))


def shifted(planner: Planner, last: Plan, now: float) -> Array:
    """What rollout 0 must try at `now`: the last plan on the new knots, (H, nu)."""
    settings, timestep = planner.config, planner.task.timestep
    steps = settings.horizon - 1
    spacing = timestep * (steps / (settings.knots - 1) if settings.knots > 1 else 1.0)
    knots = last.sample(now + spacing * np.arange(settings.knots, dtype=float))
    knots = np.clip(knots, planner.task.control_low, planner.task.control_high)
    curve = Plan(now, spacing, knots, settings.curve)
    return planner.control(curve, now + timestep * np.arange(settings.horizon, dtype=float))
