"""Values from the returns of a planner that sees further: targets, regression, starts, rounds."""

import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import aggregation, returns
from experiments.continuations import Episodes, SomewhereWorld
from experiments.returns import fit, lambda_returns
from polo_ros.tasks import make_task


def test_lambda_returns_lie_between_one_step_and_the_whole_episode() -> None:
    rewards, values = np.array([[1.0, 2.0, 4.0]]), np.array([[10.0, 20.0, 30.0]])
    assert lambda_returns(rewards, values, 0.5, 1.0).tolist() == [[1.0 + 0.5 * 17.0, 2.0 + 15.0, 30.0]]
    assert lambda_returns(rewards, values, 0.5, 0.0).tolist() == [[1.0 + 10.0, 2.0 + 15.0, 30.0]]
    half = lambda_returns(rewards, values, 0.5, 0.5)
    assert half.tolist() == [[1.0 + 0.5 * (0.5 * 17.0 + 0.5 * 20.0), 17.0, 30.0]]


def test_a_fit_finds_what_features_say_of_rewards() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(-1.0, 1.0, (40, 1))
    features = np.repeat(level[:, None], 20, axis=1) + 0.01 * rng.standard_normal((40, 20, 1))
    rewards = np.repeat(level, 20, axis=1)
    found = fit([Episodes(features, features, features, rewards, rewards > 0.0)], 0.9, seed=0)
    assert found.states == 800 and found.explained > 0.9
    low, high = found.value.heads(np.array([[-0.5], [0.5]])).mean(axis=0)
    assert low == pytest.approx(-5.0, abs=1.5) and high == pytest.approx(5.0, abs=1.5)


def test_episodes_begin_in_states_of_others_or_where_a_rollout_around_them_ends() -> None:
    task = make_task("cartpole_swingup")
    states = np.random.default_rng(0).uniform(-0.2, 0.2, (3, 50, task.state_size))
    known = Episodes(states, np.zeros((3, 50, 1)), states, states[..., 0], states[..., 0])
    moved, elsewhere = 0, 0
    for seed in range(20):
        near = SomewhereWorld(task, np.random.default_rng(seed), known, terminal=False, sigma=0.5)
        moved += (np.abs(states[..., :2] - near.state[:2]).max(axis=-1) < 1e-9).any()
        ended = SomewhereWorld(task, np.random.default_rng(seed), known, terminal=True, sigma=0.5)
        elsewhere += (np.abs(states[..., :2] - ended.state[:2]).max(axis=-1) > 1e-6).all()
    assert moved >= 10, "most begin in a known position, with other velocities"
    assert elsewhere == 20


def test_rounds_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returns, "FITS", 1)
    command = "aggregation cartpole_swingup --workers 1 --evaluate 0 --seconds 0.1 --planner horizon=4"
    command += " --override rollouts=6 --expert horizon=6"
    for name in ("expert_episodes", "acting_episodes", "continuations"):
        command += f" --amount {name}=11"
    for name in ("expert_seconds", "acting_seconds", "continuation_seconds"):
        command += f" --amount {name}=0.8"
    command += f" --out {tmp_path} --scratch {tmp_path}"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--rounds", "2"])
    aggregation.main()
    written = (tmp_path / "progress.csv").read_text()
    assert (tmp_path / "progress.png").is_file()
    rows = written.splitlines()
    said = "cartpole_swingup --override rollouts=6 --rate 20000 --seed 0 --expert horizon=6 --amount expert"
    assert said in rows[0]
    assert [row.split(",")[0] for row in rows[2:]] == ["0", "1", "2"]
    weights = (tmp_path / "weights-2.safetensors").read_bytes()
    aggregation.main()
    assert (tmp_path / "progress.csv").read_text() == written
    assert (tmp_path / "weights-2.safetensors").read_bytes() == weights


def test_a_misspelt_amount_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "aggregation cartpole_swingup --out nowhere --amount continuation=3"
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit):
        aggregation.main()
    assert "--amount has no continuation; it has expert_episodes," in capsys.readouterr().err
