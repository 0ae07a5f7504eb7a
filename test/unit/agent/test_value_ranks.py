"""`polo rank`: ranks are right where they are known, results are whole, and bad input gets one sentence."""

import csv
from pathlib import Path

import numpy as np
import pytest

from polo_ros.agent.siblings import ACHIEVED, FALLING, RISING, STEADY, Siblings, phase_of
from polo_ros.agent.value_ranks import ceiling, correlation, rank, rank_values, summary
from polo_ros.cli import main
from polo_ros.errors import PoloError
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble


def group(phase: str = RISING, count: int = 4) -> Siblings:
    """Siblings of which only their number matters."""
    return Siblings(0, 0.0, 0.0, phase, np.zeros((count, 1)))


def value(settings: Settings) -> ValueEnsemble:
    """An untrained value function."""
    return EnsembleTrainer(settings.task.feature_count, settings.learner, 0).value()


def test_rank_correlation_of_known_orders() -> None:
    assert correlation(np.array([1.0, 2.0, 30.0]), np.array([0.1, 0.2, 0.3])) == pytest.approx(1.0)
    assert correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    # 1 - 6 · (1 + 1) / (4 · 15)
    assert correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 3.0, 4.0])) == pytest.approx(0.8)
    assert correlation(np.ones(3), np.array([1.0, 2.0, 3.0])) == 0.0


def test_labels_that_agree_leave_no_room_below_one() -> None:
    labels = np.array([[1.0, 2.0, 3.0, 5.0], [2.0, 3.0, 4.0, 6.0]])
    ranking = rank(group(), labels, {"good": labels[0], "bad": -labels[0]})
    assert ranking.agreement == pytest.approx(1.0)
    assert ranking.correlations == pytest.approx({"good": 1.0, "bad": -1.0})
    assert ranking.noise == pytest.approx(0.5**0.5)


def test_the_ceiling_is_what_a_perfect_value_reaches() -> None:
    """Labels with a known noise about known values: the mean over many groups, to three standard errors."""
    rng = np.random.default_rng(0)
    truths = rng.normal(size=(800, 8))
    rankings = [
        rank(group(count=8), truth + rng.normal(0.0, 1.5, (4, 8)), {"truth": truth}) for truth in truths
    ]
    lines = summary(rankings)["all"]
    (reached, half, count), estimate = lines["truth"], lines["a perfect value (estimate)"]
    assert count == 800 and half < 0.02
    assert estimate[0] == pytest.approx(reached, abs=1.5 * (half + estimate[1]))


@pytest.mark.parametrize(("agreement", "expected"), [(1.0, 1.0), (0.0, 0.0), (-0.3, 0.0)])
def test_the_ceiling_of_labels_that_always_or_never_agree(agreement: float, expected: float) -> None:
    assert ceiling(agreement, 8, 4) == pytest.approx(expected)


def test_phases_follow_the_measure(settings: Settings) -> None:
    task = settings.task
    rising = list(np.linspace(0.0, 1.0, 50))
    none = [False] * 50
    assert phase_of(rising, none, 25, task, 0.01) == RISING
    assert phase_of(rising[::-1], none, 25, task, 0.01) == FALLING
    assert phase_of([0.5] * 50, none, 25, task, 0.01) == STEADY
    assert phase_of(rising, [True] * 50, 0, task, 0.01) == ACHIEVED


def test_results_are_whole_and_repeat(settings: Settings, tmp_path: Path) -> None:
    values = {"one": value(settings), "two": value(settings)}
    found = rank_values(settings, values, [0, 1], 12, 3, 3, 2, tmp_path / "a")
    rank_values(settings, values, [0, 1], 12, 3, 3, 2, tmp_path / "b")
    content = (tmp_path / "a" / "ranks.csv").read_text()
    assert content == (tmp_path / "b" / "ranks.csv").read_text()
    head, *lines = content.splitlines()
    assert head.startswith("# polo rank cartpole_swingup seeds=2 steps=12 labels=2 one=")
    rows = list(csv.DictReader(lines))
    assert len(rows) == len(found) == 6
    assert [row["seed"] for row in rows] == ["0"] * 3 + ["1"] * 3
    assert all(row["one"] == row["two"] and -1.0 <= float(row["one"]) <= 1.0 for row in rows)
    assert (tmp_path / "a" / "ranks.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(PoloError, match="exists; give another --out"):
        rank_values(settings, values, [0], 12, 3, 3, 2, tmp_path / "a")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((12, 3, 2, 2), "siblings must be at least 3, not 2"),
        ((12, 3, 3, 1), "labels must be at least 2, not 1"),
        ((0, 3, 3, 2), "steps must be at least 1, not 0"),
        ((12, 3, 5000, 2), "siblings 5000 exceed the planner's rollouts"),
    ],
)
def test_bad_counts_get_one_sentence(
    settings: Settings, tmp_path: Path, counts: tuple[int, int, int, int], said: str
) -> None:
    with pytest.raises(PoloError, match=said):
        rank_values(settings, {"one": value(settings)}, [0], *counts, tmp_path)


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", "cartpole_swingup", "--weights", "nowhere.safetensors"]) == 1
    assert "nowhere.safetensors" in capsys.readouterr().err
