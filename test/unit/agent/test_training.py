"""`train` and `evaluate`: their files, that training resumes to the bit, and their sums."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

import polo_ros
from polo_ros.agent.agent import Step
from polo_ros.agent.episode import Episode
from polo_ros.agent.evaluation import COLUMNS as EVALUATE_COLUMNS
from polo_ros.agent.evaluation import evaluate, value_check
from polo_ros.agent.provenance import value_digest
from polo_ros.agent.training import COLUMNS as TRAIN_COLUMNS
from polo_ros.agent.training import check_rewards, train
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.learner import Learner
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.planner import Plan, PlanReport

TIMES = {"plan_time", "plan_time_median", "wall_time"}
FAST = """
/**:
  ros__parameters: {task: cartpole_swingup}
/**/planner_node:
  ros__parameters: {threads: 1, horizon: 16, rollouts: 8, noise_sigma: 0.5}
/**/learner_node:
  ros__parameters:
    update_period: 5
    gradient_steps: 4
    target_states: 6
    warmup_labels: 10
    target_horizon: 8
    target_rollouts: 6
    target_iterations: 1
    ensemble_size: 2
    hidden: [8]
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("config") / "fast.yaml"
    path.write_text(FAST)
    return settings_for("cartpole_swingup", path)


def table(path: Path) -> tuple[str, list[dict[str, str]]]:
    """The first line of a CSV file and its rows."""
    heading, *lines = path.read_text().splitlines()
    return heading, list(csv.DictReader(lines))


def without_times(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: cell for name, cell in row.items() if name not in TIMES} for row in rows]


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
