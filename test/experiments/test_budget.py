"""Emulated real time: the real controller, plans that take as long as their steps, and runs that repeat."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import budget
from benchmarks.emulated_time import run
from polo_ros.parameters.settings import settings_for

SETTINGS = settings_for("cartpole_swingup")
# of one plan: K (H · substeps + 1)
STEPS = SETTINGS.planner.rollouts * (SETTINGS.planner.horizon * SETTINGS.task.substeps + 1)


def final_reward(steps_per_second: float) -> float:
    """The mean reward from 3 s to 4 s."""
    result, task = run(SETTINGS, None, 0, 4.0, steps_per_second), SETTINGS.task
    rewards = task.reward(task.observe(result.states, result.ctrl))
    return float(rewards[round(3.0 / task.timestep) :].mean())


def test_a_run_repeats_to_the_bit() -> None:
    first, second = (run(SETTINGS, None, 3, 1.0, 30_000) for _ in range(2))
    assert np.array_equal(first.states, second.states) and np.array_equal(first.ctrl, second.ctrl)
    assert first.plans == second.plans > 0


def test_plans_take_as_long_as_their_steps() -> None:
    period = SETTINGS.task.timestep
    for periods in (0.4, 2.5):
        took = periods * period
        result = run(SETTINGS, None, 3, 2.0, STEPS / took)
        # a plan begins with a state where planning waits for one, and else where the last plan ends; the
        # prediction's few steps are paid for, too
        between = max(took, period)
        assert result.plans == pytest.approx(2.0 / between, rel=0.05)
        waits = 0.5 * period if took > period else 0.0
        assert result.ready_after == pytest.approx(took + waits, abs=0.3 * period)


def test_with_enough_steps_the_pole_is_swung_up_and_with_few_it_is_not() -> None:
    assert final_reward(60_000) > 0.8
    assert final_reward(500) < 0.4


def test_the_command_goes_on_where_it_stopped_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "budget.csv"

    def command(*arguments: str) -> pd.DataFrame:
        small = ["--seconds", "0.08", "--horizon", "8", "--rollouts", "6", "--processes", "1", "--seeds", "2"]
        monkeypatch.setattr(sys, "argv", ["budget", *small, "--out", str(out), *arguments])
        budget.main()
        return pd.read_csv(out, comment="#")

    first = command("--rates", "20000", "--value-weights", "0")
    assert list(first["seed"]) == [0, 1]
    monkeypatch.setattr(budget, "run_job", lambda job, config: pytest.fail(f"{job} has a row already"))
    command("--rates", "20000", "--value-weights", "0")
    monkeypatch.undo()
    both = command("--rates", "20000", "40000", "--value-weights", "0")
    assert len(both) == 4 and set(both["steps_per_second"]) == {20000, 40000}
    pd.testing.assert_frame_equal(both.iloc[:2], first)
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
