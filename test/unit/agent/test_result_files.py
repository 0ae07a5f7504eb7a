"""What `train` and `evaluate` leave behind: tables, weights, film strips, and what made them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from training_runs import FAST, table

import polo_ros
from polo_ros.agent.evaluation import COLUMNS as EVALUATE_COLUMNS
from polo_ros.agent.evaluation import evaluate
from polo_ros.agent.provenance import value_digest
from polo_ros.agent.training import COLUMNS as TRAIN_COLUMNS
from polo_ros.agent.training import train
from polo_ros.learner.learner import Learner
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings, settings_for


def test_training_leaves_metrics_weights_and_a_film_strip(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "folder"
    weights = train(settings, 30, 12, 3, out, resume=False)
    assert weights == out / "weights.safetensors"
    value, origin = load_value(str(weights), settings.task)
    assert origin.sequence == 6 and value.head_count == 2
    heading, rows = table(out / "metrics.csv")
    assert heading.startswith("# polo train cartpole_swingup steps=30 episode_steps=12 seed=3 version=")
    assert tuple(rows[0]) == TRAIN_COLUMNS
    assert [row["steps"] for row in rows] == ["12", "24", "30"]  # the last episode is cut short
    assert [row["episode"] for row in rows] == ["0", "1", "2"]
    assert [row["updates"] for row in rows] == ["2", "4", "6"]
    assert float(rows[-1]["sim_time"]) == pytest.approx(30 * 0.02)
    assert all(np.isfinite(float(cell)) for row in rows for cell in row.values())
    assert np.ptp(imread(out / "last_episode.png")) > 0.1
    assert {path.name for path in out.iterdir()} == {
        "metrics.csv", "weights.safetensors", "checkpoint.safetensors", "checkpoint.1.safetensors",
        "checkpoint.2.safetensors", "last_episode.png",
    }  # fmt: skip


def test_evaluation_leaves_a_row_a_seed_and_a_film_strip(settings: Settings, tmp_path: Path) -> None:
    value = Learner(settings.task, settings.learner).value()
    rows = evaluate(settings, value, [4, 2], 105, tmp_path)
    heading, written = table(tmp_path / "evaluation.csv")
    assert heading.startswith("# polo evaluate cartpole_swingup steps=105 value=")
    assert tuple(written[0]) == EVALUATE_COLUMNS
    assert [row["seed"] for row in written] == ["4", "2"]
    for row, line in zip(rows, written, strict=True):
        assert {name: "" if cell is None else str(cell) for name, cell in row.items()} == line
        assert -1.0 <= float(row["value_correlation"]) <= 1.0
        assert row["solved"] == 0 and row["solved_at"] is None  # 2 s of it are too short
    assert np.ptp(imread(tmp_path / "seed4.png")) > 0.1
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.csv", "seed4.png"}


@pytest.mark.usefixtures("no_film_strips")
def test_results_say_what_made_them(tmp_path: Path) -> None:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST)
    settings = settings_for("cartpole_swingup", path, {"temperature": 0.7, "reward.centre": -0.3})
    train(settings, 12, 12, 3, tmp_path, resume=False)
    value, _ = load_value(str(tmp_path / "weights.safetensors"), settings.task)
    evaluate(settings, value, [0], 5, tmp_path)
    for name in ("metrics.csv", "evaluation.csv"):
        words = table(tmp_path / name)[0].split()
        for word in (
            f"version={polo_ros.__version__}", f"model_hash={settings.task.model_hash()}",
            f"dynamics_hash={settings.task.dynamics_hash()}", "planner_node.temperature:=0.7",
            "planner_node.horizon:=16", "learner_node.hidden:=[8]", "reward.centre:=-0.3",
        ):  # fmt: skip
            assert word in words
        assert not any("elites" in word for word in words)  # a default
    assert f"value={value_digest(value)}" in table(tmp_path / "evaluation.csv")[0].split()
    assert value_digest(value) != value_digest(Learner(settings.task, settings.learner).value())
