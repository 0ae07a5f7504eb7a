"""Small MPPI solvers, with start states, warm starts and value functions for them."""

import math
from typing import Any

import numpy as np

from polo_ros.arrays import Array
from polo_ros.parameters.schema import build
from polo_ros.planner import PlannerConfig
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks import Task

SMALL = {"horizon": 12, "rollouts": 10, "noise_knots": 4, "noise_sigma": 0.4, "elites": 1}
NOISES = ("white", "filtered", "knots")


def config(**changes: Any) -> PlannerConfig:
    return build(PlannerConfig, SMALL | changes)


def solver(task: Task, seed: int = 0, threads: int = 1, **changes: Any) -> MPPI:
    return MPPI(task, config(**changes), seed, threads)


def start(task: Task, count: int = 1, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    return np.array([task.start_state(rng) for _ in range(count)])


def warm_start(mppi: MPPI, problems: int = 1, seed: int = 2) -> Array:
    shape = (problems, mppi.config.knots, mppi.task.model.nu)
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape)


def ensemble(task: Task, heads: int = 3) -> ValueEnsemble:
    rng = np.random.default_rng(3)
    features = task.feature_count

    def layers() -> tuple[Layer, ...]:
        return (
            Layer(rng.standard_normal((heads, features, 6)), rng.standard_normal((heads, 1, 6))),
            Layer(rng.standard_normal((heads, 6, 1)), rng.standard_normal((heads, 1, 1))),
        )

    zeros, ones = np.zeros(features), np.ones(features)
    return ValueEnsemble(layers(), layers(), zeros, ones, offset=5.0, scale=10.0, prior_scale=0.5)


def weights_in_loops(returns: Array, temperature: float, scale_free: bool) -> list[float]:
    """The weights of MPPI's update, rollout by rollout."""
    finite = [float(value) for value in returns if math.isfinite(value)]
    if scale_free:
        mean = sum(finite) / len(finite)
        temperature *= math.sqrt(sum((value - mean) ** 2 for value in finite) / len(finite))
    best = max(finite)
    raw = [math.exp((value - best) / temperature) if math.isfinite(value) else 0.0 for value in returns]
    return [value / sum(raw) for value in raw]


def hopeless(task: Task) -> Array:
    """A finite state that MuJoCo refuses to step."""
    state: Array = start(task)[0]
    state[task.model.nq] = 1e12
    return state
