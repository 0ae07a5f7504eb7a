"""`evaluate`: it repeats, and its sums are right."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from training_runs import without_times

from polo_ros.agent.agent import Step
from polo_ros.agent.episode import Episode
from polo_ros.agent.evaluation import evaluate, value_check
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Plan, PlanReport

pytestmark = pytest.mark.usefixtures("no_film_strips")


def test_evaluation_repeats_whatever_other_seeds_run(settings: Settings, tmp_path: Path) -> None:
    both = evaluate(settings, None, [0, 1], 20, tmp_path / "both")
    alone = evaluate(settings, None, [1], 20, tmp_path / "alone")
    assert without_times(both[1:]) == without_times(alone)
    assert both[0]["mean_reward"] != both[1]["mean_reward"]
    assert alone[0]["value_correlation"] is None and alone[0]["value_bias"] is None


@pytest.mark.parametrize(("seeds", "steps"), [([], 5), ([0], 0)])
def test_evaluating_nothing_is_refused(
    settings: Settings, tmp_path: Path, seeds: list[int], steps: int
) -> None:
    with pytest.raises(PoloError, match="must be at least 1, not 0"):
        evaluate(settings, None, seeds, steps, tmp_path)


def episode(
    settings: Settings,
    rewards: Sequence[float],
    values: Sequence[float] | None = None,
    achieved: Sequence[bool] | None = None,
) -> Episode:
    """An episode of given rewards, values and achievements."""
    task = settings.task
    state = task.start_state(np.random.default_rng(0))
    view, plan = task.observe(state), Plan(0.0, 1.0, np.zeros((1, 1)), "zero")
    steps = []
    for index, reward in enumerate(rewards):
        value = 0.0 if values is None else values[index]
        report = PlanReport(plan, view, 0.0, 1.0, 1, 0.001, 1, 1, task, None, 0.0)
        vars(report).update(reward=reward, value=value)  # given here, not computed
        good = achieved is not None and achieved[index]
        steps.append(Step(0, index * task.timestep, state, np.zeros(1), report, good, None))
    return Episode(task, steps)


def test_value_check_of_a_constant_reward(settings: Settings) -> None:
    # 2 for ever at a discount of 0.5 is worth 4
    correlation, bias = value_check(episode(settings, [2.0] * 105, [5.5] * 105), 0.5)
    assert correlation is None  # nothing varies
    assert bias == pytest.approx(1.5, abs=1e-12)


def test_value_check_of_hand_made_returns(settings: Settings) -> None:
    # 8 once, after that nothing, so that the returns of the first three states are 2, 4 and 8
    rewards = [0.0, 0.0, 8.0, *[0.0] * 100]
    wrong = [99.0] * 100  # values of states whose returns are not known yet do not count
    assert value_check(episode(settings, rewards, [2.0, 4.0, 8.0, *wrong]), 0.5) == pytest.approx((1.0, 0.0))
    assert value_check(episode(settings, rewards, [7.0, 11.0, 19.0, *wrong]), 0.5) == pytest.approx(
        (1.0, 23.0 / 3.0)
    )
    assert value_check(episode(settings, rewards, [-2.0, -4.0, -8.0, *wrong]), 0.5) == pytest.approx(
        (-1.0, -28.0 / 3.0)
    )


def test_value_check_fills_in_the_last_rewards_for_ever(settings: Settings) -> None:
    rewards = [*[0.0] * 95, *[1.0] * 10]
    _, bias = value_check(episode(settings, rewards, [0.0] * 105), 0.99)
    returns = [0.99 ** (95 - start) * 100.0 for start in range(5)]
    assert bias == pytest.approx(-np.mean(returns), rel=1e-9)


def test_value_check_needs_enough_steps(settings: Settings) -> None:
    assert value_check(episode(settings, [1.0] * 101), 0.99) == (None, None)
    assert value_check(episode(settings, [1.0] * 102), 0.99)[1] is not None


def test_solved_at_the_end_of_the_first_hold(settings: Settings) -> None:
    # 1 s is 50 steps; 49 on end are too few, and a break starts the count again
    held = [*[True] * 49, False, *[True] * 55]
    solved = episode(settings, [0.0] * 105, achieved=held)
    assert solved.solved_at == pytest.approx(99 * 0.02)
    short = episode(settings, [0.0] * 100, achieved=[*[True] * 49, False, *[True] * 49, False])
    assert short.solved_at is None
