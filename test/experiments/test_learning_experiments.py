"""What experiments on learning share, and the two that change one part of it at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import experiment, experiments, lessons
from experiments.comparison import BASE, HORIZONS, Comparison
from experiments.experiment import Row
from experiments.lookahead import CASE, LOOKAHEADS, curve
from experiments.training_cache import settings_of, trained
from polo_ros.agent.world import World
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.learner import Learner
from polo_ros.planner import Planner

FAST: dict[str, Any] = {
    "horizon": 8, "rollouts": 8, "update_period": 5, "gradient_steps": 2, "target_states": 4,
    "warmup_labels": 4, "target_horizon": 4, "target_rollouts": 6, "target_iterations": 1,
    "ensemble_size": 2, "hidden": (4,),
}  # fmt: skip
COMPARISONS: dict[str, Comparison] = {
    name: chosen() for name, chosen in experiments().items() if issubclass(chosen, Comparison)
}
SETTINGS = settings_of("cartpole_swingup", FAST)


def exploding(*_: object, **__: object) -> Path:
    raise ExplodedError("the value function has exploded")


def as_read(job: Row, rows: Sequence[Row]) -> list[dict[str, str]]:
    """Rows as the CSV file gives them back."""
    return [{name: str(value) for name, value in {**job, **row}.items()} for row in rows]


def ablation_row(variant: str, life: int, rewards: tuple[float, float], exploded: int = 0) -> dict[str, str]:
    row: Row = {
        "variant": variant, "life": life, "learning_cpu_time": 100.0 + life, "loss": 5.0, "exploded": exploded
    }  # fmt: skip
    for horizon, mean in zip(HORIZONS, rewards, strict=True):
        found = {"mean": mean, "lowest": mean - 0.1, "highest": mean + 0.1}
        row |= {f"{name}_reward_{horizon}": reward for name, reward in found.items()}
        row[f"longest_up_{horizon}"] = 1.5
    return as_read({}, [row])[0]


def test_a_training_is_done_once_and_its_computing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(SETTINGS, 20, 10, 1, tmp_path)
    assert first.value is not None and first.cpu_time > 0.0
    assert [row["steps"] for row in first.episodes] == ["10", "20"]
    monkeypatch.setattr(lessons, "train", exploding)  # would be called if it learned again
    again = trained(SETTINGS, 20, 10, 1, tmp_path)
    assert again.value is not None
    np.testing.assert_array_equal(again.value.network[0].weight, first.value.network[0].weight)
    assert (again.episodes, again.cpu_time) == (first.episodes, first.cpu_time)


def test_an_interrupted_training_begins_anew(tmp_path: Path) -> None:
    whole = trained(SETTINGS, 20, 10, 1, tmp_path / "whole")
    lessons.train(SETTINGS, 10, 10, 1, tmp_path / "cut", resume=False)
    anew = trained(SETTINGS, 20, 10, 1, tmp_path / "cut")
    assert whole.value is not None and anew.value is not None
    np.testing.assert_array_equal(anew.value.network[0].weight, whole.value.network[0].weight)
    assert [row["steps"] for row in anew.episodes] == ["10", "20"]


def test_an_explosion_is_an_outcome_and_other_errors_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode_late(*args: Any, **_: object) -> Path:
        (args[4] / "metrics.csv").write_text("# polo train\nsteps,reward\n10,0.5\n")
        return exploding()

    monkeypatch.setattr(lessons, "train", explode_late)
    for _ in range(2):  # as found, and as kept
        lost = trained(SETTINGS, 20, 10, 1, tmp_path / "lost")
        assert lost.value is None
        assert lost.episodes == [{"steps": "10", "reward": "0.5"}]
    monkeypatch.undo()
    with pytest.raises(PoloError, match="steps must be at least 1"):
        trained(SETTINGS, 0, 10, 1, tmp_path / "bad")
    assert not (tmp_path / "bad" / "training.json").exists()


@pytest.mark.parametrize("steps", LOOKAHEADS)
def test_targets_of_any_lookahead_can_be_learned_from(steps: int) -> None:
    settings = CASE.studying(True, {"target_horizon": steps})
    assert settings.learner.target_horizon == steps
    task = settings.task
    learner = Learner(task, settings.learner, 0, 1)
    state = World(task, np.random.default_rng(0)).state
    learner.add(state[None], np.zeros((1, task.model.nu)), np.zeros(1), np.zeros(1))
    assert np.isfinite(learner.update().target_mean)
    # at its full size, too, the labels' planner is given rollouts enough
    full = CASE.studying(False, {"target_horizon": steps})
    Learner(full.task, full.learner, 0, 1)


@pytest.mark.parametrize(
    ("comparison", "name"),
    [(name, variant) for name, chosen in COMPARISONS.items() for variant in chosen.variants],
)
def test_every_variant_is_what_its_planner_and_learner_accept(comparison: str, name: str) -> None:
    chosen = COMPARISONS[comparison]
    variant = chosen.variants[name]
    for quick in (False, True):
        if variant.lesson is not None:
            settings = chosen.case.studying(quick, variant.lesson)
            Learner(settings.task, settings.learner, 0, 1)
            Planner(settings.task, settings.planner, 0, 1)
            changed = {**vars(settings.planner), **vars(settings.learner)}
            assert {key: changed[key] for key in variant.lesson} == variant.lesson
    for horizon in HORIZONS:
        acting = chosen.case.settings(chosen.case.planning(horizon, valued=True) | variant.acting)
        Planner(acting.task, acting.planner, 0, 1)
        assert acting.planner.optimism == variant.acting.get("optimism", 0.0)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_no_two_variants_are_the_same_and_equal_lessons_have_equal_lives(comparison: str) -> None:
    chosen = COMPARISONS[comparison]
    both = [str((variant.lesson, variant.acting)) for variant in chosen.variants.values()]
    assert len(set(both)) == len(both)
    jobs = chosen.jobs(quick=False)
    for name, variant in chosen.variants.items():
        lives = [job["life"] for job in jobs if job["variant"] == name]
        assert lives == list(range(chosen.lives if variant.lesson == {} else 1))


def test_the_lower_envelope_judges_what_the_base_learned(tmp_path: Path) -> None:
    chosen = experiment("ablations")
    jobs = chosen.jobs(quick=True)
    (base,), (envelope,) = (chosen.run(job, True, tmp_path) for job in jobs)
    assert base["learning_cpu_time"] == envelope["learning_cpu_time"] > 0.0
    assert base["loss"] == envelope["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{BASE}-0"]
    (alone,) = chosen.run({"variant": "planner alone", "life": 0}, True, tmp_path)
    assert alone["learning_cpu_time"] == alone["exploded"] == 0
    # what the value function is worth is in the rows
    assert alone["mean_reward_32"] != base["mean_reward_32"]


@pytest.mark.parametrize("name", ["ablations", "lookahead"])
def test_exploded_values_make_a_row_that_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode_first(*args: Any, **_: object) -> Path:
        (args[4] / "metrics.csv").write_text("# polo train\nsteps,reward\n")  # no episode ended
        return exploding()

    monkeypatch.setattr(lessons, "train", explode_first)
    chosen = experiment(name)
    job = chosen.jobs(quick=True)[0]
    (row,) = chosen.run(job, True, tmp_path)
    assert set(row) == set(chosen.results)
    assert np.isnan(float(row["mean_reward_32" if name == "ablations" else "fresh_reward"]))
    read = as_read(job, [row])
    chosen.draw(read, tmp_path)
    assert "exploded" in "\n".join(chosen.report(read))


def test_the_table_compares_with_the_mean_of_the_bases_lives(tmp_path: Path) -> None:
    rows = [ablation_row(BASE, life, (0.6 + 0.1 * life, 0.4)) for life in range(3)]
    rows.append(ablation_row("one head", 0, (0.75, 0.3)))
    rows.append(ablation_row("no priors", 0, (float("nan"), float("nan")), exploded=1))
    chosen = experiment("ablations")
    _, _, *lines, _, note = chosen.report(rows)
    assert [line.split(" | ")[0] for line in lines] == ["| base", "| one head", "| no priors"]
    assert "| 3 | 0.700 (0.500 to 0.900) | - | 1.50 | 0.400 (0.300 to 0.500) | - |" in lines[0]
    assert "| 0.750 (0.650 to 0.850) | +0.050 |" in lines[1] and "| -0.100 |" in lines[1]
    assert "| 1, 1 exploded | - | - | - |" in lines[2]
    assert "0.600 to 0.800 at H = 32 and 0.400 to 0.400 at H = 16" in note
    chosen.draw(rows, tmp_path)
    assert (tmp_path / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_a_base_that_lost_a_life_compares_by_the_others() -> None:
    rows = [ablation_row(BASE, 0, (0.6, 0.4)), ablation_row(BASE, 1, (float("nan"),) * 2, exploded=1)]
    rows.append(ablation_row("one head", 0, (0.75, 0.3)))
    report = experiment("ablations").report(rows)
    assert "| base | 2, 1 exploded | 0.600" in report[2] and "| +0.150 |" in report[3]


def test_learning_curves_are_told_apart_by_lookahead_and_life() -> None:
    rows = [
        {
            "target_horizon": str(horizon), "life": str(life), "steps": str(200 * (episode + 1)),
            "experience": str(1.6 * (episode + 1)), "mean_reward": str(horizon + life + 0.1 * episode),
            "value": "50", "loss": "3", "fresh_reward": "0.7", "learning_cpu_time": "12",
        }
        for horizon in (16, 4) for life in (0, 1) for episode in range(4)
    ]  # fmt: skip
    experience, rewards = curve(rows[:4])
    np.testing.assert_allclose(experience, [1.6, 3.2, 4.8, 6.4])
    np.testing.assert_allclose(rewards, [16.0, 16.1, 16.2, 16.3])
    lines = experiment("lookahead").report(rows)[2:]
    assert [line.split(" | ")[:3] for line in lines] == [
        ["| 4", "0", "4.050"], ["| 4", "1", "5.050"], ["| 16", "0", "16.050"], ["| 16", "1", "17.050"]
    ]  # fmt: skip
    assert all("| 0.700 | 50.0 | 3.0 | 12 |" in line for line in lines)
