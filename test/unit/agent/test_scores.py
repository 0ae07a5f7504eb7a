"""What a run amounts to."""

import numpy as np
import pytest

from polo_ros.agent.scores import HoldTimer, goal_runs, longest_run, score
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.humanoid_box import HumanoidBox


@pytest.mark.parametrize(
    ("flags", "longest"), [("", 0), ("---", 0), ("+", 1), ("-++-+", 2), ("++-+++", 3), ("++++", 4)]
)
def test_longest_run(flags: str, longest: int) -> None:
    assert longest_run(np.array([flag == "+" for flag in flags])) == longest


def test_goal_runs() -> None:
    goals = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 2.0], [3.0, 2.0], [3.0, 2.0]])
    assert goal_runs(goals) == [slice(0, 2), slice(2, 3), slice(3, 5)]
    assert goal_runs(goals[:1]) == [slice(0, 1)]
    assert goal_runs(np.empty((4, 0))) == [slice(0, 4)]  # a task without goals


def test_a_task_without_goals_counts_none(cartpole: Task) -> None:
    states = np.zeros((100, cartpole.state_size))
    states[:, 1] = [*[np.pi] * 20, *[0.1] * 30, *[np.pi] * 10, *[0.0] * 40]
    found = score(cartpole, states)
    assert found.longest_hold == pytest.approx(40 * 0.02)
    assert (found.goals, found.goals_reached) == (0, 0)
    assert found.measure_first == pytest.approx(np.pi)
    assert found.measure_last == found.measure_low == pytest.approx(0.0, abs=1e-6)
    assert found.measure_high == pytest.approx(np.pi)
    assert found.lowest == pytest.approx(-1.0)  # the pole hung down


class Restless(HumanoidBox):
    """The box with a goal that changes every ten control periods."""

    goal_period = 10


@pytest.mark.parametrize(("last", "goals"), [(4, 3), (10, 4)])
def test_goals_are_counted_and_those_reached(last: int, goals: int) -> None:
    """Goals at 2.5 m (the box comes near once), 0 m (never), 1.6 m (always), then one for `last` periods."""
    task = Restless()
    states = np.tile(task.start_state(np.random.default_rng(0)), (30 + last, 1))
    states[:, -7] = np.repeat([2.5, 0.0, 1.6, 1.7], [10, 10, 10, last])
    states[3, 28] = 2.4
    found = score(task, states)
    assert (found.goals, found.goals_reached) == (goals, goals - 1)


def test_a_goal_that_stays_is_no_goal_reached() -> None:
    task = make_task("humanoid_box")
    states = np.tile(task.start_state(np.random.default_rng(0)), (20, 1))
    assert score(task, states).goals == 0


def test_the_hold_timer_of_demo_and_polo_counts_as_scores_do(cartpole: Task) -> None:
    """`StatusMonitor` and `Episode` share it; an achieved state is a hold of one control period."""
    states = np.zeros((100, cartpole.state_size))
    states[:10, 1] = np.pi
    timer, period = HoldTimer(cartpole), cartpole.timestep
    achieved = cartpole.achieved(cartpole.observe(states))
    held = [timer.add(bool(flag), index * period) for index, flag in enumerate(achieved)]
    assert held[9] == 0.0
    assert held[10] == pytest.approx(period)
    assert max(held) == pytest.approx(score(cartpole, states).longest_hold) == pytest.approx(90 * period)
    needed = round(cartpole.hold_time / period)
    assert timer.solved_at == pytest.approx((10 + needed - 1) * period)
