"""The warm start of a plan: the last one shifted in time, settings that change, resets."""

from typing import Any

import mujoco
import numpy as np
import pytest
from planners import START, config, planner_for, shifted, start
from solvers import NOISES

from polo_ros.arrays import Array
from polo_ros.tasks import Task
from polo_ros.tasks.state import set_state


def discounted_reward(task: Task, controls: Array) -> float:
    """What controls (H, nu) earn from the start state, by plain steps."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, start(task))
    total = 0.0
    for step, control in enumerate(controls):
        total += 0.99**step * float(task.reward(task.observe(task.state_of(data), control)))
        data.ctrl[:] = control
        mujoco.mj_step(task.model, data)
    return total


@pytest.mark.parametrize("noise", NOISES)
def test_the_first_plan_starts_from_neutral_controls(cartpole: Task, noise: str) -> None:
    planner = planner_for(cartpole, noise=noise)
    planner.plan(start(cartpole), START)
    np.testing.assert_array_equal(planner.last_controls()[0], 0.0)
    assert planner.last_controls().shape == (10, 13, 1)


def test_neutral_is_the_nearest_to_zero_that_the_range_allows(cartpole: Task) -> None:
    cartpole.model.actuator_ctrlrange[0] = [0.2, 1.0]
    planner = planner_for(cartpole)
    planner.plan(start(cartpole), START)
    np.testing.assert_allclose(planner.last_controls()[0], 0.2, atol=1e-12)


def test_a_plan_is_a_curve_from_the_time_of_the_state_to_the_last_step(cartpole: Task) -> None:
    planner = planner_for(cartpole, noise_knots=4, interpolation="linear")
    plan = planner.plan(start(cartpole), START).plan
    assert (plan.start, plan.interpolation, plan.sequence) == (START, "linear", 1)
    assert plan.end == pytest.approx(START + 11 * 0.02)
    assert plan.knots.shape == (4, 1)
    assert planner.plan(start(cartpole), START + 0.02).plan.sequence == 2
    held = planner_for(cartpole, noise="white").plan(start(cartpole), START).plan
    assert (held.interpolation, held.spacing, held.end) == ("zero", 0.02, START + 12 * 0.02)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1])
def test_the_warm_start_is_the_last_plan_shifted_in_time(cartpole: Task, noise: str, delay: float) -> None:
    planner = planner_for(cartpole, noise=noise)
    last = planner.plan(start(cartpole), START).plan
    planner.plan(start(cartpole), START + delay)
    tried = planner.last_controls()[0, :12]
    np.testing.assert_allclose(tried, shifted(planner, last, START + delay), atol=1e-9)


@pytest.mark.parametrize("start_time", [0.0, 1.76e9 + 0.123])
def test_one_period_later_each_control_is_the_one_planned_for_its_time(
    cartpole: Task, start_time: float
) -> None:
    planner = planner_for(cartpole, noise="white")
    last = planner.plan(start(cartpole), start_time).plan
    planner.plan(start(cartpole), start_time + 0.02)
    tried = planner.last_controls()[0]
    np.testing.assert_array_equal(tried[:11], last.knots[1:])
    np.testing.assert_array_equal(tried[11], last.knots[-1])  # the end holds


def test_the_best_samples_of_the_last_plan_are_tried_again_in_their_time(cartpole: Task) -> None:
    planner = planner_for(cartpole, noise="white", elites=2)
    planner.plan(start(cartpole), START)
    controls = planner.last_controls()
    ranked = sorted(range(10), key=lambda row: -discounted_reward(cartpole, controls[row, :12]))
    planner.plan(start(cartpole), START + 0.02)
    for rank, row in enumerate(ranked[:2]):
        np.testing.assert_array_equal(planner.last_controls()[1 + rank, :11], controls[row, 1:12])


CHANGES = [
    {"horizon": 30},
    {"horizon": 6},
    {"noise_knots": 7},
    {"noise_knots": 2},
    {"noise": "white"},
    {"noise": "filtered", "horizon": 20},
    {"interpolation": "linear"},
    {"interpolation": "zero"},
    {"rollouts": 25},
    {"elites": 0},
    {"elites": 3},
    {"iterations": 3},
]


@pytest.mark.parametrize("before", NOISES)
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_new_settings_resample_the_warm_start(cartpole: Task, before: str, changes: dict[str, Any]) -> None:
    planner = planner_for(cartpole, noise=before)
    for step in range(3):
        last = planner.plan(start(cartpole), START + 0.02 * step).plan
    planner.configure(config(**({"noise": before} | changes)))
    now = START + 0.06
    expected = shifted(planner, last, now)
    assert np.abs(expected).max() > 0.05, "the old plan must be worth keeping"
    report = planner.plan(start(cartpole), now)
    assert report.valid_rollouts == planner.config.rollouts
    assert report.plan.sequence == 4
    if planner.config.iterations == 1:  # later iterations start from the improved plan
        tried = planner.last_controls()[0, : planner.config.horizon]
        np.testing.assert_allclose(tried, expected, atol=1e-9)
    assert np.abs(report.plan.knots).max() > 0.0


def test_reset_forgets_the_plan_and_its_elites(cartpole: Task) -> None:
    planner = planner_for(cartpole, elites=2)
    for step in range(3):
        planner.plan(start(cartpole), START + 0.02 * step)
    planner.reset()
    planner.plan(start(cartpole), 0.0)
    controls = planner.last_controls()
    np.testing.assert_array_equal(controls[0], 0.0)
    assert len(np.unique(controls[:, 0, 0])) == 10  # all but the first are fresh samples
