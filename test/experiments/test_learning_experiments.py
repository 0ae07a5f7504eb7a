"""Trainings that experiments share, and the experiments that change one part of learning at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments import experiment, experiments, training_cache
from experiments.comparison import BASE, HORIZONS, Comparison
from experiments.experiment import Row
from experiments.lookahead import CONFIGURATION, LOOKAHEADS
from experiments.training_cache import settings_of, trained
from polo_ros.agent import training
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


def ablation_row(variant: str, seed: int, rewards: tuple[float, float], exploded: int = 0) -> Row:
    row: Row = {
        "variant": variant, "training": seed, "learning_cpu_time": 100.0 + seed, "loss": 5.0,
        "exploded": exploded,
    }  # fmt: skip
    for horizon, mean in zip(HORIZONS, rewards, strict=True):
        found = {"mean": mean, "lowest": mean - 0.1, "highest": mean + 0.1}
        row |= {f"{name}_reward_{horizon}": reward for name, reward in found.items()}
        row[f"longest_up_{horizon}"] = 1.5
    return row


@pytest.fixture(autouse=True)
def no_film_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of the last episode take longer than the trainings; `test_training` covers them."""
    monkeypatch.setattr(training.Episode, "strip", lambda *_: None)


def test_a_training_is_done_once_and_its_cpu_time_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(SETTINGS, 20, 10, 1, tmp_path)
    assert first.value is not None and first.cpu_time > 0.0
    assert list(first.episodes["steps"]) == [10, 20]
    monkeypatch.setattr(training_cache, "train", exploding)  # would be called if it trained again
    again = trained(SETTINGS, 20, 10, 1, tmp_path)
    assert again.value is not None
    np.testing.assert_array_equal(again.value.network[0].weight, first.value.network[0].weight)
    pd.testing.assert_frame_equal(again.episodes, first.episodes)
    assert again.cpu_time == first.cpu_time
    # as in the repository: weights and metrics alone
    for name in ("checkpoint.safetensors", "training.json"):
        (tmp_path / name).unlink()
    alone = trained(SETTINGS, 20, 10, 1, tmp_path)
    assert alone.value is not None and np.isnan(alone.cpu_time)


def test_an_interrupted_training_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(SETTINGS, 20, 10, 1, tmp_path / "whole")
    cut, periods = tmp_path / "cut", []

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Learner, "save", interrupt)  # a row is written, its checkpoint is not
    with pytest.raises(KeyboardInterrupt):
        trained(SETTINGS, 20, 10, 1, tmp_path / "at once")
    monkeypatch.undo()
    live = training.live
    monkeypatch.setattr(training, "live", lambda agent, steps: periods.append(steps) or live(agent, steps))
    monkeypatch.setattr(training.Episode, "strip", interrupt)  # of the first ten steps
    with pytest.raises(KeyboardInterrupt):
        trained(SETTINGS, 10, 10, 1, cut)
    assert not (cut / "training.json").exists() and periods == [10]
    monkeypatch.setattr(training.Episode, "strip", lambda *_: None)
    resumed = trained(SETTINGS, 20, 10, 1, cut)
    assert periods == [10, 10]
    assert whole.value is not None and resumed.value is not None
    np.testing.assert_array_equal(resumed.value.network[0].weight, whole.value.network[0].weight)
    assert list(resumed.episodes["steps"]) == [10, 20]
    assert resumed.cpu_time > 0.0
    # interrupted after the last checkpoint, before the weights were written
    for name in ("training.json", "weights.safetensors"):
        (cut / name).unlink()
    again = trained(SETTINGS, 20, 10, 1, cut)
    assert periods == [10, 10] and again.value is not None
    np.testing.assert_array_equal(again.value.network[0].weight, whole.value.network[0].weight)


def test_a_training_continues_a_shorter_one_and_leaves_it_alone(tmp_path: Path) -> None:
    whole = trained(SETTINGS, 20, 10, 1, tmp_path / "whole")
    short = trained(SETTINGS, 10, 10, 1, tmp_path / "short")
    long = trained(SETTINGS, 20, 10, 1, tmp_path / "long", start=tmp_path / "short")
    assert whole.value is not None and long.value is not None
    np.testing.assert_array_equal(long.value.network[0].weight, whole.value.network[0].weight)
    assert list(long.episodes["steps"]) == [10, 20]
    assert long.cpu_time > short.cpu_time
    assert list(trained(SETTINGS, 10, 10, 1, tmp_path / "short").episodes["steps"]) == [10]


def test_an_explosion_is_an_outcome_and_other_errors_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode_late(*args: Any, **_: object) -> Path:
        args[4].mkdir(exist_ok=True)
        (args[4] / "metrics.csv").write_text("# polo train\nsteps,reward\n10,0.5\n")
        return exploding()

    monkeypatch.setattr(training_cache, "train", explode_late)
    for _ in range(2):  # as found, and as kept
        lost = trained(SETTINGS, 20, 10, 1, tmp_path / "lost")
        assert lost.value is None
        assert lost.episodes[["steps", "reward"]].to_numpy().tolist() == [[10, 0.5]]
    monkeypatch.undo()
    with pytest.raises(PoloError, match="steps must be at least 1"):
        trained(SETTINGS, 0, 10, 1, tmp_path / "bad")
    assert not (tmp_path / "bad" / "training.json").exists()


@pytest.mark.parametrize("steps", LOOKAHEADS)
def test_targets_of_any_lookahead_can_be_learned_from(steps: int) -> None:
    settings = CONFIGURATION.training_settings(True, {"target_horizon": steps})
    assert settings.learner.target_horizon == steps
    task = settings.task
    learner = Learner(task, settings.learner, settings.planner, 0, 1)
    state = World(task, np.random.default_rng(0)).state
    learner.add(state[None], np.zeros((1, task.model.nu)), np.zeros(1), np.zeros(1))
    assert np.isfinite(learner.update().target_mean)
    # at its full size, too, the labels' planner is given rollouts enough
    full = CONFIGURATION.training_settings(False, {"target_horizon": steps})
    Learner(full.task, full.learner, full.planner, 0, 1)


@pytest.mark.parametrize(
    ("comparison", "name"),
    [(name, variant) for name, chosen in COMPARISONS.items() for variant in chosen.variants],
)
def test_every_variant_is_what_its_planner_and_learner_accept(comparison: str, name: str) -> None:
    chosen = COMPARISONS[comparison]
    variant = chosen.variants[name]
    for quick in (False, True):
        if variant.learning is not None:
            settings = chosen.configuration.training_settings(quick, variant.learning)
            Learner(settings.task, settings.learner, settings.planner, 0, 1)
            Planner(settings.task, settings.planner, 0, 1)
            changed = {**vars(settings.planner), **vars(settings.learner)}
            assert {key: changed[key] for key in variant.learning} == variant.learning
    for horizon in HORIZONS:
        acting = chosen.configuration.settings(
            chosen.configuration.planning(horizon, with_value=True) | variant.acting
        )
        Planner(acting.task, acting.planner, 0, 1)
        assert acting.planner.optimism == variant.acting.get("optimism", 0.0)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_no_two_variants_are_the_same_and_equal_trainings_have_equal_seeds(comparison: str) -> None:
    chosen = COMPARISONS[comparison]
    both = [str((variant.learning, variant.acting)) for variant in chosen.variants.values()]
    assert len(set(both)) == len(both)
    jobs = chosen.jobs(quick=False)
    for name, variant in chosen.variants.items():
        seeds = [job["training"] for job in jobs if job["variant"] == name]
        assert seeds == list(range(chosen.trainings if variant.learning == {} else 1))


def test_the_lower_envelope_is_evaluated_with_the_values_of_the_base(tmp_path: Path) -> None:
    chosen = experiment("ablations")
    jobs = chosen.jobs(quick=True)
    (base,), (envelope,) = (chosen.run(job, True, tmp_path) for job in jobs)
    assert base["learning_cpu_time"] == envelope["learning_cpu_time"] > 0.0
    assert base["loss"] == envelope["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{BASE}-0"]
    (alone,) = chosen.run({"variant": "planner alone", "training": 0}, True, tmp_path)
    assert alone["learning_cpu_time"] == alone["exploded"] == 0
    # what the value function is worth is in the rows
    assert alone["mean_reward_32"] != base["mean_reward_32"]


@pytest.mark.parametrize("name", ["ablations", "lookahead"])
def test_exploded_values_make_a_row_that_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode_first(*args: Any, **_: object) -> Path:
        args[4].mkdir(exist_ok=True)
        (args[4] / "metrics.csv").write_text("# polo train\nsteps,reward\n")  # no episode ended
        return exploding()

    monkeypatch.setattr(training_cache, "train", explode_first)
    chosen = experiment(name)
    job = chosen.jobs(quick=True)[0]
    (row,) = chosen.run(job, True, tmp_path)
    assert set(row) == set(chosen.results)
    assert np.isnan(float(row["mean_reward_32" if name == "ablations" else "fresh_reward"]))
    frame = pd.DataFrame([{**job, **row}]).replace("nan", np.nan)
    chosen.draw(frame, tmp_path)
    assert "exploded" in "\n".join(chosen.report(frame))


def test_the_table_compares_with_the_mean_of_the_bases_trainings(tmp_path: Path) -> None:
    rows = [ablation_row(BASE, seed, (0.6 + 0.1 * seed, 0.4)) for seed in range(3)]
    rows.append(ablation_row("one head", 0, (0.75, 0.3)))
    rows.append(ablation_row("no priors", 0, (float("nan"), float("nan")), exploded=1))
    chosen = experiment("ablations")
    frame = pd.DataFrame(rows)
    _, _, *lines, _, note = chosen.report(frame)
    assert [line.split(" | ")[0] for line in lines] == ["| base", "| one head", "| no priors"]
    assert "| 3 | 0.700 (0.500 to 0.900) | - | 1.50 | 0.400 (0.300 to 0.500) | - |" in lines[0]
    assert "| 0.750 (0.650 to 0.850) | +0.050 |" in lines[1] and "| -0.100 |" in lines[1]
    assert "| 1, 1 exploded | - | - | - |" in lines[2]
    assert "0.600 to 0.800 at H = 32 and 0.400 to 0.400 at H = 16" in note
    chosen.draw(frame, tmp_path)
    assert (tmp_path / "ablations.png").read_bytes().startswith(b"\x89PNG")


def test_a_base_with_an_exploded_training_compares_by_the_others() -> None:
    rows = [ablation_row(BASE, 0, (0.6, 0.4)), ablation_row(BASE, 1, (float("nan"),) * 2, exploded=1)]
    rows.append(ablation_row("one head", 0, (0.75, 0.3)))
    report = experiment("ablations").report(pd.DataFrame(rows))
    assert "| base | 2, 1 exploded | 0.600" in report[2] and "| +0.150 |" in report[3]


def test_learning_curves_are_told_apart_by_lookahead_and_training() -> None:
    rows = [
        {
            "target_horizon": horizon, "training": seed, "steps": 200 * (episode + 1),
            "experience": 1.6 * (episode + 1), "mean_reward": horizon + seed + 0.1 * episode,
            "value": 50, "loss": 3, "fresh_reward": 0.7, "learning_cpu_time": 12,
        }
        for horizon in (16, 4) for seed in (0, 1) for episode in range(4)
    ]  # fmt: skip
    lines = experiment("lookahead").report(pd.DataFrame(rows))[2:]
    assert [line.split(" | ")[:4] for line in lines] == [
        ["| 4", "0", "4.050", "4.250"], ["| 4", "1", "5.050", "5.250"],
        ["| 16", "0", "16.050", "16.250"], ["| 16", "1", "17.050", "17.250"],
    ]  # fmt: skip
    assert all("| 0.700 | 50.0 | 3.0 | 12 |" in line for line in lines)
