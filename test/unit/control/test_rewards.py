"""Rewards of recorded transitions."""

import numpy as np
import pytest

from polo_ros.control.command_history import Transition, rewards
from polo_ros.control.state import Snapshot
from polo_ros.planner import Planner, PlannerConfig, PlanReport
from polo_ros.tasks import make_task


@pytest.mark.parametrize("name", ["cartpole_swingup", "humanoid_getup", "hand_cube"])
def test_rewards_from_the_plans_view_are_those_of_simulating_again(name: str) -> None:
    task = make_task(name)
    planner = Planner(task, PlannerConfig(horizon=5, rollouts=8), threads=1)
    known, unknown = [], []
    for index in range(5):
        state = task.start_state(np.random.default_rng(index))
        report: PlanReport = planner.plan(state, 0.02 * index)
        ctrl = planner.control(report.plan, report.plan.start)
        np.testing.assert_array_equal(ctrl, report.view.ctrl)
        known.append(Transition(Snapshot(state, index), 0, ctrl, report.view))
        unknown.append(Transition(Snapshot(state, index), 0, ctrl))
    expected = rewards(task, unknown)
    np.testing.assert_allclose(rewards(task, known), expected, rtol=0, atol=1e-12)
    mixed = [known[0], unknown[1], known[2], unknown[3], unknown[4]]
    np.testing.assert_allclose(rewards(task, mixed), expected, rtol=0, atol=1e-12)
    assert rewards(task, []).shape == (0,)
