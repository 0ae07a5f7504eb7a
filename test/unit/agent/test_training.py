"""`train` repeats, resumes to the bit and overwrites nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_runs import FAST, table, without_times

from polo_ros.agent.training import check_rewards, train
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.learner import Learner
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.parameters.yaml_files import ParameterFile

pytestmark = pytest.mark.usefixtures("no_film_strips")


def assert_same_weights(first: Path, second: Path) -> None:
    tensors, others = (read_tensors(path, "the weights")[0] for path in (first, second))
    assert tensors.keys() == others.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def test_resumed_training_equals_an_uninterrupted_one(settings: Settings, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings, 36, 12, 3, whole, resume=False)
    train(settings, 12, 12, 3, parts, resume=False)
    train(settings, 36, 12, 3, parts, resume=True)
    for file in ("weights.safetensors", "checkpoint.safetensors"):
        assert_same_weights(whole / file, parts / file)
    (_, rows), (_, resumed) = (table(folder / "metrics.csv") for folder in (whole, parts))
    assert without_times(rows) == without_times(resumed)
    assert len(rows) == 3


def test_resuming_before_the_first_update_equals_an_uninterrupted_run(
    settings: Settings, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings, 12, 4, 3, whole, resume=False)
    train(settings, 4, 4, 3, parts, resume=False)
    train(settings, 12, 4, 3, parts, resume=True)
    assert_same_weights(whole / "checkpoint.safetensors", parts / "checkpoint.safetensors")
    (_, rows), (_, resumed) = (table(folder / "metrics.csv") for folder in (whole, parts))
    assert without_times(rows) == without_times(resumed)
    assert [row["loss"] == "" for row in rows] == [True, False, False]  # updates at 5 and 10


def test_training_repeats_with_its_seed_only(settings: Settings, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(settings, 12, 12, seed, tmp_path / name, resume=False)
    assert_same_weights(tmp_path / "a" / "weights.safetensors", tmp_path / "b" / "weights.safetensors")
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "a" / "weights.safetensors", tmp_path / "c" / "weights.safetensors")


def test_earlier_results_are_not_overwritten(settings: Settings, tmp_path: Path) -> None:
    train(settings, 12, 12, 3, tmp_path, resume=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(PoloError, match="exists; give --resume to go on from it or another --out"):
        train(settings, 12, 12, 3, tmp_path, resume=False)
    with pytest.raises(PoloError, match="already has 12 steps; give --steps more than that"):
        train(settings, 12, 12, 3, tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_resuming_needs_a_checkpoint_of_training(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=r"checkpoint\.safetensors could not be read"):
        train(settings, 12, 12, 3, tmp_path, resume=True)
    learner = Learner(settings.task, settings.learner)
    learner.save(tmp_path / "checkpoint.safetensors", epoch=7)
    with pytest.raises(PoloError, match="was not written by polo train"):
        train(settings, 12, 12, 3, tmp_path, resume=True)


def test_a_run_interrupted_between_row_and_checkpoint_repeats_no_row(
    settings: Settings, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(settings, 24, 12, 3, whole, resume=False)
    train(settings, 12, 12, 3, parts, resume=False)
    with (parts / "metrics.csv").open(
        "a"
    ) as file:  # as of the next episode, whose checkpoint was not written
        file.write((whole / "metrics.csv").read_text().splitlines()[-1] + "\n36,2,0.7")
    train(settings, 24, 12, 3, parts, resume=True)
    (first, rows), (second, resumed) = (table(folder / "metrics.csv") for folder in (whole, parts))
    assert first == second
    assert without_times(rows) == without_times(resumed)


@pytest.mark.parametrize(
    ("change", "seed", "episode", "message"),
    [
        ({"rollouts": 9}, 3, 12, "planner_node.rollouts 8, not 9"),
        ({"learning_rate": 0.002}, 3, 12, "learner_node.learning_rate its default, not 0.002"),
        ({"reward.centre": -0.3}, 3, 12, "reward.centre its default, not -0.3"),
        ({}, 4, 12, "seed 3, not 4"),
        ({}, 3, 24, "episode 12, not 24"),
    ],
)
def test_resuming_with_other_settings_is_refused_by_name(
    settings: Settings, tmp_path: Path, change: dict[str, object], seed: int, episode: int, message: str
) -> None:
    train(settings, 12, 12, 3, tmp_path, resume=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    path = tmp_path.parent / f"{tmp_path.name}.yaml"
    path.write_text(FAST)
    other = settings_for("cartpole_swingup", path, change)
    with pytest.raises(PoloError, match=f"{message}; resume with the same settings"):
        train(other, 24, episode, seed, tmp_path, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    # the number of threads changes no result
    train(
        replace(settings, planner_node=replace(settings.planner_node, threads=2)), 24, 12, 3, tmp_path, True
    )


def test_planner_and_learner_of_one_process_have_one_reward(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(FAST.replace("noise_sigma: 0.5", "noise_sigma: 0.5, reward.centre: -0.4"))
    with pytest.raises(
        PoloError, match=r"reward.centre is -0\.4 for planner_node and -0\.1 for learner_node"
    ):
        train(settings_for("cartpole_swingup", path), 12, 12, 3, tmp_path / "out", resume=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted(share_path("config").glob("*.yaml")), ids=lambda path: path.stem)
def test_parameter_files_mean_the_same_to_all_entry_points(path: Path) -> None:
    """The nodes read their own blocks; `polo train` reads both."""
    # the file of a family of tasks names none of them
    name = ParameterFile.read(path).values("/planner_node").get("task", "pointmass_box")
    settings = settings_for(name, path)
    check_rewards(settings)
    assert settings.learner.target_temperature == settings.planner.temperature
    assert settings.learner.target_temperature_mode == settings.planner.temperature_mode
    if settings.task.terms:  # without rewards the planner's discount ranks plans alone
        assert settings.learner.discount == settings.planner.discount


@pytest.mark.parametrize(
    ("steps", "episode", "seed", "message"),
    [
        (0, 12, 0, "steps must be at least 1, not 0"),
        (12, 0, 0, "episode must be at least 1, not 0"),
        (12, 12, -1, "seed must be at least 0, not -1"),
    ],
)
def test_training_for_nothing_is_refused(
    settings: Settings, tmp_path: Path, steps: int, episode: int, seed: int, message: str
) -> None:
    with pytest.raises(PoloError, match=message):
        train(settings, steps, episode, seed, tmp_path / "out", resume=False)
    assert not (tmp_path / "out").exists()
