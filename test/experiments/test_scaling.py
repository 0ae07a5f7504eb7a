"""What more labels buy: variants are fitted once, judged by several planners, and drawn."""

import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import returns, scaling
from experiments.continuations import Episodes
from polo_ros.tasks import make_task


def test_chosen_episodes_grow_with_the_states_and_leave_out_those_held_out() -> None:
    numbers = np.zeros((30, 8, 2))
    data = [Episodes(numbers, numbers, numbers, numbers[..., 0], numbers[..., 0])] * 2
    few, many, every = (np.concatenate(scaling.chosen_episodes(data, states)) for states in (40, 160, 9999))
    assert few.sum() == 5 and many.sum() == 20 and every.sum() == 54
    assert many[few].all() and every[many].all()


def test_each_variant_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task("cartpole_swingup")
    rng = np.random.default_rng(0)
    states = rng.uniform(-1.0, 1.0, (20, 10, task.state_size))
    view = task.observe(states, np.zeros((20, 10, 1)))
    Episodes(
        states, np.zeros((20, 10, 1)), task.value_features(view), task.reward(view), task.achieved(view)
    ).write(tmp_path / "acting-1.npz")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(returns, "FITS", 1)
    monkeypatch.setattr(
        scaling, "VARIANTS", ((50, 0, 16, "ensemble"), (999, 0, 16, "ensemble"), (999, 0, 16, "two-hot"))
    )
    monkeypatch.setattr(scaling, "STYLES", dict(zip(
        [(0, 16, "ensemble"), (0, 16, "two-hot")], scaling.STYLES.values(), strict=False
    )))  # fmt: skip
    monkeypatch.setattr(scaling, "PLANNERS", ((4, 6), (5, 6)))
    monkeypatch.setattr(
        sys, "argv", f"scaling cartpole_swingup --scratch {tmp_path} --seeds 2 --steps 10 --out out".split()
    )
    scaling.main()
    rows = (tmp_path / "out/scaling.csv").read_text().splitlines()
    assert rows[0] == "# python -m experiments.scaling cartpole_swingup"
    assert len(rows) == 2 + 3 * 2 * 2
    assert [row.split(",")[8] for row in rows[2::4]] == ["50", "180", "180"]
    assert (tmp_path / "out/scaling.png").is_file()
    assert len(list((tmp_path / "runs/scaling").iterdir())) == 2
    monkeypatch.setattr(scaling, "fit", None)
    scaling.main()  # nothing is missing


def test_missing_episodes_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "argv", f"scaling cartpole_swingup --scratch {tmp_path}/none --out {tmp_path}".split()
    )
    with pytest.raises(scaling.PoloError, match="has no episodes; run"):
        scaling.main()
