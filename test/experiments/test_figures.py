"""Pictures and reports of the experiments: every one from a small frame, in words, with honest numbers."""

import importlib
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from experiments import experiment, experiments
from experiments.comparison import BASE, HORIZONS
from experiments.efficiency_figure import with_differences
from experiments.horizons_figure import draw_panel
from experiments.planner_variants import RECOMMENDED
from polo_ros.agent.statistics import half_interval

DRAWN = ("ablations", "cost", "efficiency", "heads", "horizons", "lookahead", "target_cost")
BENCHMARKS = {
    "asynchronous": "benchmarks.asynchronous",
    "budget": "benchmarks.budget",
    "jitter": "benchmarks.jitter",
    "peers_plan_time": "benchmarks.peers.plan_time_figure",
    "peers_returns": "benchmarks.peers.returns_figure",
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, in order."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: Any, **options: Any) -> None:
        figures.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def synthetic(name: str, quick: bool) -> pd.DataFrame:
    """A row a job, its results drawn at random; no training has exploded."""
    chosen, rng = experiment(name), np.random.default_rng(0)
    jobs = pd.DataFrame(chosen.jobs(quick))
    results = {column: rng.uniform(0.1, 1.0, len(jobs)) for column in chosen.results}
    whole = {
        "exploded": 0, "goals": 5, "goals_reached": 3, "held": 7, "held_upright": 4, "of": 10, "steps": 200,
    }  # fmt: skip
    return jobs.assign(**results).assign(**{key: value for key, value in whole.items() if key in results})


def words(figure: Figure) -> list[str]:
    """Everything that is written in a figure, tick labels included."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_and_a_report_are_made_in_words(
    name: str, quick: bool, tmp_path: Path, drawn: list[Figure]
) -> None:
    chosen, frame = experiments()[name](), synthetic(name, quick)
    chosen.draw(frame, tmp_path)
    report = "\n".join(chosen.report(frame))
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(drawn) == len(list(tmp_path.iterdir()))
    for text in [text for figure in drawn for text in words(figure)] + [report]:
        assert not re.search(r"[a-z]_[a-z]|\b(mpc|polo|getup-\w+|lives|life)\b", text), text
    for axes in (axes for figure in drawn for axes in figure.axes if axes.axison):
        assert axes.get_xlabel() or len(axes.figure.axes) > 1


def test_an_interval_is_students_t_and_one_value_has_none() -> None:
    low, high = stats.t.interval(0.95, 2, loc=2.0, scale=stats.sem([1.0, 2.0, 3.0]))
    assert half_interval(pd.Series([1.0, 2.0, 3.0])) == pytest.approx((high - low) / 2)
    assert np.isnan(half_interval(pd.Series([1.0])))


def test_runs_below_the_axis_are_marked_and_left_out_of_the_mean() -> None:
    runs = pd.DataFrame({"method": "mpc", "horizon": 8, "seed": range(3), "mean_reward": [0.8, 0.9, -20.0]})
    axes = Figure().subplots()
    assert draw_panel(axes, runs, lowest=0.0)
    ((line, *_),) = axes.containers
    assert list(line.get_ydata()) == [pytest.approx(0.85)]
    assert "−20.0" in [text.get_text() for text in axes.texts] and axes.get_ylim()[0] == 0.0
    axes = Figure().subplots()
    assert not draw_panel(axes, runs, lowest=-np.inf)
    assert list(axes.containers[0][0].get_ydata()) == [pytest.approx(-6.1)] and not axes.texts


def efficiency_rows(variant: str, rewards: list[float], task: str = "hand_cube") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": task, "variant": variant, "budget": 0.5, "seed": range(len(rewards)),
            "mean_reward": rewards, "steps_per_period": 660.0,
        }
    )  # fmt: skip


def test_differences_are_paired_by_seed() -> None:
    better = efficiency_rows("white noise", [2.0, 6.5, 9.5])
    frame = pd.concat([better[::-1], efficiency_rows(RECOMMENDED, [1.0, 5.0, 9.0])], ignore_index=True)
    differences = with_differences(frame)["difference"]
    assert list(differences) == [0.5, 1.5, 1.0, 0.0, 0.0, 0.0]
    text = "\n".join(experiment("efficiency").report(frame))
    # Student's t for two degrees of freedom, 4.303, times 0.5 / √3
    assert "| white noise | 6.000 ± 3.082 | +1.000 ± 1.242 | 660 |" in text
    assert "| recommended | 5.000 ± 3.266 | - | 660 |" in text


def test_variants_are_sorted_by_the_difference_on_getup(tmp_path: Path, drawn: list[Figure]) -> None:
    rewards = {RECOMMENDED: [0.5, 0.6], "white noise": [0.1, 0.2], "3 knots": [0.7, 0.8]}
    frame = pd.concat(
        [
            efficiency_rows(variant, found, task)
            for task in ("hand_cube", "humanoid_getup") for variant, found in rewards.items()
        ]
    )  # fmt: skip
    experiment("efficiency").draw(frame, tmp_path)
    (figure,) = drawn
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["3 knots", "white noise"]
    assert figure.axes[0].get_title().startswith("Humanoid getup")


def comparison_row(variant: str, training: int, rewards: tuple[float, float], exploded: int = 0) -> Any:
    row: dict[str, Any] = {
        "variant": variant, "training": training, "learning_cpu_time": 100.0 + training, "loss": 5.0,
        "exploded": exploded,
    }  # fmt: skip
    for horizon, mean in zip(HORIZONS, rewards, strict=True):
        found = {"mean": mean, "lowest": mean - 0.1, "highest": mean + 0.1}
        row |= {f"{name}_reward_{horizon}": reward for name, reward in found.items()}
        row[f"longest_up_{horizon}"] = 1.5
    return row


def test_the_table_compares_with_the_mean_of_the_bases_trainings(tmp_path: Path, drawn: list[Figure]) -> None:
    rows = [comparison_row(BASE, training, (0.6 + 0.1 * training, 0.4)) for training in range(3)]
    rows.append(comparison_row("one head", 0, (0.75, 0.3)))
    rows.append(comparison_row("no priors", 0, (float("nan"), float("nan")), exploded=1))
    chosen, frame = experiment("ablations"), pd.DataFrame(rows)
    _, _, *lines, _, note = chosen.report(frame)
    assert [line.split(" | ")[0] for line in lines] == ["| base", "| one head", "| no priors"]
    assert "| 3 | 0.700 (0.500 to 0.900) | - | 1.50 | 0.400 (0.300 to 0.500) | - |" in lines[0]
    assert "| 0.750 (0.650 to 0.850) | +0.050 |" in lines[1] and "| -0.100 |" in lines[1]
    assert "| 1, 1 exploded | - | - | - |" in lines[2]
    assert "0.600 to 0.800 at H = 32 and 0.400 to 0.400 at H = 16" in note
    chosen.draw(frame, tmp_path)
    assert "1 of 1 training run exploded" in words(drawn[0])


def test_a_base_with_an_exploded_training_compares_by_the_others() -> None:
    rows = [comparison_row(BASE, 0, (0.6, 0.4)), comparison_row(BASE, 1, (float("nan"),) * 2, exploded=1)]
    rows.append(comparison_row("one head", 0, (0.75, 0.3)))
    report = experiment("ablations").report(pd.DataFrame(rows))
    assert "| base | 2, 1 exploded | 0.600" in report[2] and "| +0.150 |" in report[3]


def test_learning_curves_are_told_apart_by_target_horizon_and_training() -> None:
    rows = [
        {
            "target_horizon": horizon, "training": training, "steps": 200 * (episode + 1),
            "experience": 1.6 * (episode + 1), "mean_reward": horizon + training + 0.1 * episode,
            "value": 50.0, "loss": 3.0, "fresh_reward": 0.7, "learning_cpu_time": 12.0,
        }
        for horizon in (16, 4) for training in (0, 1) for episode in range(4)
    ]  # fmt: skip
    lines = experiment("lookahead").report(pd.DataFrame(rows))[2:]
    assert [line.split(" | ")[:3] for line in lines] == [
        ["| 4", "0", "4.050"], ["| 4", "1", "5.050"], ["| 16", "0", "16.050"], ["| 16", "1", "17.050"]
    ]  # fmt: skip
    assert all("| 0.700 | 50.0 | 3.0 | 12 |" in line for line in lines)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_draws_from_its_csv_file(name: str, tmp_path: Path, drawn: list[Figure]) -> None:
    file = shutil.copy(Path(f"benchmarks/results/{name}.csv"), tmp_path)
    importlib.import_module(BENCHMARKS[name]).draw(Path(file))
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    found = [text for text in words(drawn[0]) if re.search(r"[a-z]_[a-z]", text)]
    assert all("polo_ros" in text or "pytorch_mppi" in text for text in found)


def test_the_growth_of_cost_is_drawn_from_its_csv_file(tmp_path: Path, drawn: list[Figure]) -> None:
    from benchmarks.cost_growth import draw, make_panels

    file = shutil.copy(Path("benchmarks/results/cost_growth.csv"), tmp_path)
    draw(Path(file), make_panels(1))
    assert (tmp_path / "cost_growth.png").read_bytes().startswith(b"\x89PNG")
    assert "expected: flat" in "\n".join(words(drawn[0]))


@pytest.mark.parametrize("name", ["ablations", "lookahead"])
def test_trainings_that_all_exploded_are_drawn_and_reported(name: str, tmp_path: Path) -> None:
    chosen, frame = experiment(name), synthetic(name, quick=True)
    frame[list(chosen.results)] = np.nan
    if "exploded" in frame:
        frame["exploded"] = 1
    chosen.draw(frame, tmp_path)
    assert "exploded" in "\n".join(chosen.report(frame))
