"""The learned value function improves the planner: cart-pole swing-up from 15 s of experience."""

from pathlib import Path

import pytest

from polo_ros.agent.evaluation import evaluate
from polo_ros.agent.training import train
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for

SEEDS = range(3)
STEPS = 250  # 5 s to swing up and hold


@pytest.mark.usefixtures("no_film_strips")
def test_cartpole_swingup_is_learned(tmp_path: Path) -> None:
    """With the values every seed is solved, and the mean reward is higher than without."""
    settings = settings_for("cartpole_swingup")
    weights = train(settings, 3 * STEPS, STEPS, 0, tmp_path / "train", resume=False)
    value, _ = load_value(str(weights), settings.task)
    with_value = evaluate(settings, value, SEEDS, STEPS, tmp_path / "value")
    without = evaluate(settings, None, SEEDS, STEPS, tmp_path / "no_value")
    assert [row["solved"] for row in with_value] == [1] * len(SEEDS)
    rewards, bare = (
        sum(float(row["mean_reward"]) for row in rows) / len(rows) for rows in (with_value, without)
    )
    assert rewards > bare
    # the values predict the discounted rewards that acting earns afterwards
    assert all(float(row["value_correlation"]) > 0.8 for row in with_value)
