"""Values from the returns of a planner that sees further: targets, regression, starts, rounds."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments import aggregation, returns
from experiments.continuations import Episodes, SomewhereWorld
from experiments.returns import Regression, fit, lambda_returns
from experiments.two_hot import network_regression, two_hot
from polo_ros.learner.weights import load_value
from polo_ros.tasks import make_task


def test_lambda_returns_lie_between_one_step_and_the_whole_episode() -> None:
    rewards, values = np.array([[1.0, 2.0, 4.0]]), np.array([[10.0, 20.0, 30.0]])
    assert lambda_returns(rewards, values, 0.5, 1.0).tolist() == [[1.0 + 0.5 * 17.0, 2.0 + 15.0, 30.0]]
    assert lambda_returns(rewards, values, 0.5, 0.0).tolist() == [[1.0 + 10.0, 2.0 + 15.0, 30.0]]
    half = lambda_returns(rewards, values, 0.5, 0.5)
    assert half.tolist() == [[1.0 + 0.5 * (0.5 * 17.0 + 0.5 * 20.0), 17.0, 30.0]]


def steady_rewards() -> Episodes:
    """40 episodes of 20 states, each with one reward that its only feature tells."""
    rng = np.random.default_rng(0)
    level = rng.uniform(-1.0, 1.0, (40, 1))
    features = np.repeat(level[:, None], 20, axis=1) + 0.01 * rng.standard_normal((40, 20, 1))
    rewards = np.repeat(level, 20, axis=1)
    return Episodes(features, features, features, rewards, rewards > 0.0)


@pytest.mark.parametrize(
    "regression",
    [None, *(network_regression(32, binned=binned, scale=10.0) for binned in (False, True))],
    ids=["ensemble", "normalised", "two-hot"],
)
def test_a_fit_finds_what_features_say_of_rewards(regression: Regression | None) -> None:
    found = fit([steady_rewards()], 0.9, seed=0, regression=regression)
    assert found.states == 800 and found.trained == 720 and found.explained > 0.9
    low, high = found.value.heads(np.array([[-0.5], [0.5]])).mean(axis=0)
    assert low == pytest.approx(-5.0, abs=1.5) and high == pytest.approx(5.0, abs=1.5)


def test_a_fit_sees_the_chosen_episodes_alone() -> None:
    episodes = steady_rewards()
    odd = np.arange(40) % 2 == 1
    turned = replace(episodes, rewards=np.where(odd[:, None], -episodes.rewards, episodes.rewards))
    found = fit([turned], 0.9, seed=0, chosen=[odd])
    assert found.trained == 400
    assert found.value.heads(np.array([[0.5]])).mean() == pytest.approx(-5.0, abs=1.5)


def test_two_hot_shares_have_the_target_as_their_mean() -> None:
    bins = torch.linspace(-2.0, 3.0, 11)
    targets = torch.tensor([-2.0, -1.3, 0.0, 2.99, 3.0, 7.0])
    shares = two_hot(targets, bins)
    assert torch.allclose(shares @ bins, targets.clamp(max=3.0), atol=1e-6)
    assert (shares.sum(dim=1) == 1.0).all() and ((shares > 0.0).sum(dim=1) <= 2).all()


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
    command += f" --hidden 8 8 --out {tmp_path} --scratch {tmp_path}"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--rounds", "2"])
    aggregation.main()
    written = (tmp_path / "progress.csv").read_text()
    assert (tmp_path / "progress.png").is_file()
    rows = written.splitlines()
    said = "cartpole_swingup --override rollouts=6 --rate 20000 --seed 0 --expert horizon=6 --amount expert"
    assert said in rows[0] and rows[0].endswith("--hidden 8 8")
    value = load_value(str(tmp_path / "weights-1.safetensors"), make_task("cartpole_swingup"))[0]
    assert [layer.weight.shape[2] for layer in value.network] == [8, 8, 1]
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
