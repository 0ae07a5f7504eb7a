"""Trainings that experiments share, and the experiments that change one part of learning at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments import experiment, experiments, training_cache
from experiments.comparison import BASE, HORIZONS, Comparison
from experiments.lookahead import CONFIGURATION, LOOKAHEADS
from experiments.training_cache import settings_of, trained
from polo_ros.agent import training
from polo_ros.agent.agent import Agent, Step
from polo_ros.agent.world import World
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.learner import Learner
from polo_ros.planner import Planner

FAST: dict[str, Any] = {
    "horizon": 8, "rollouts": 8, "update_period": 5, "gradient_steps": 2, "target_states": 4,
    "warmup_labels": 4, "target_horizon": 4, "target_rollouts": 6, "target_iterations": 1,
    "ensemble_size": 2, "hidden": (4,),
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("no_film_strips")
COMPARISONS: dict[str, Comparison] = {
    name: chosen() for name, chosen in experiments().items() if issubclass(chosen, Comparison)
}
SETTINGS = settings_of("cartpole_swingup", FAST)


def exploding(*_: object, **__: object) -> Path:
    raise ExplodedError("the value function has exploded")


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
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def counted(agent: Agent, steps: int) -> Iterator[Step]:
        periods.append(steps)
        return take_steps(agent, steps)

    whole = trained(SETTINGS, 20, 10, 1, tmp_path / "whole")
    cut, periods = tmp_path / "cut", list[int]()
    take_steps, save = training.take_steps, Learner.save
    trained(SETTINGS, 10, 10, 1, cut)
    for name in ("training.json", "weights.safetensors"):
        (cut / name).unlink()  # as after one of two episodes
    monkeypatch.setattr(training, "take_steps", counted)
    monkeypatch.setattr(Learner, "save", interrupt)  # the second row is written, its checkpoint is not
    with pytest.raises(KeyboardInterrupt):
        trained(SETTINGS, 20, 10, 1, cut)
    monkeypatch.setattr(Learner, "save", save)
    resumed = trained(SETTINGS, 20, 10, 1, cut)
    assert periods == [10, 10]  # the first episode is not run again
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
    trained(SETTINGS, 10, 10, 1, tmp_path / "short")
    long = trained(SETTINGS, 20, 10, 1, tmp_path / "long", start=tmp_path / "short")
    assert whole.value is not None and long.value is not None
    np.testing.assert_array_equal(long.value.network[0].weight, whole.value.network[0].weight)
    assert list(long.episodes["steps"]) == [10, 20]
    _, metadata = read_tensors(tmp_path / "short" / "checkpoint.safetensors", "the checkpoint")
    assert long.cpu_time > float(metadata["cpu_time"]) > 0.0
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
    learner = Learner(task, settings.learner, 0, 1)
    state = World(task, np.random.default_rng(0)).state
    learner.add(state[None], np.zeros((1, task.model.nu)), np.zeros(1), np.zeros(1))
    assert np.isfinite(learner.update().target_mean)
    # at its full size, too, the labels' planner is given rollouts enough
    full = CONFIGURATION.training_settings(False, {"target_horizon": steps})
    Learner(full.task, full.learner, 0, 1)


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
            Learner(settings.task, settings.learner, 0, 1)
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
    (alone,) = chosen.run({"variant": "MPC alone", "training": 0}, True, tmp_path)
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
