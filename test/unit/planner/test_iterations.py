"""Several sampling rounds a plan: each starts from the result of the one before it."""

from typing import Any

import numpy as np
import pytest
from strictness import no_warnings

from polo_ros.arrays import Array
from polo_ros.parameters.schema import build
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.mppi import MPPI
from polo_ros.tasks import Task, make_task

pytestmark = no_warnings

SMALL = {"horizon": 12, "rollouts": 10, "noise_knots": 4, "noise_sigma": 0.4, "elites": 1}


def solver(task: Task, **changes: Any) -> MPPI:
    return MPPI(task, build(PlannerConfig, SMALL | changes), seed=0, threads=1)


def start(task: Task) -> Array:
    return task.start_state(np.random.default_rng(1))


def test_three_rounds_equal_three_single_ones(cartpole: Task) -> None:
    mppi, single = solver(cartpole, iterations=3), solver(cartpole)
    states = start(cartpole)[None]
    knots = np.random.default_rng(2).uniform(-0.5, 0.5, (1, 4, 1))
    solution = mppi.optimise(states, knots)
    assert solution.iterations == 3
    elites = None
    for _ in range(3):
        last = single.optimise(states, knots, elites)
        knots, elites = last.knots, last.elites
    np.testing.assert_array_equal(solution.knots, last.knots)
    np.testing.assert_array_equal(solution.returns, last.returns)
    np.testing.assert_array_equal(solution.elites, last.elites)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("cartpole_swingup", {"iterations": 3}, (3, 3 * 10 * 13)),
        # two physics steps a control period
        ("hand_cube", {"horizon": 4, "iterations": 2}, (2, 2 * 10 * 9)),
    ],
)
def test_a_report_counts_iterations_and_physics_steps(
    name: str, changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    task = make_task(name)
    report = Planner(task, build(PlannerConfig, SMALL | changes), seed=0, threads=1).plan(start(task), 0.0)
    assert (report.iterations, report.simulator_steps) == expected
