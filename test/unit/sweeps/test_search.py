"""`polo sweep --sampler optuna`: it stays within the axes, ends poor trials, and goes on where it stopped."""

import csv
from pathlib import Path
from typing import Any

import pytest

from polo_ros.cli import main
from polo_ros.sweeps import runs
from polo_ros.sweeps.runs import EpisodeSetup, run_episode

optuna = pytest.importorskip("optuna", reason="the extra optuna is not installed")

TASK = "cartpole_swingup"
AXES = ["-p", "horizon:=4..7", "-p", "noise:=knots,filtered", "-p", "noise_sigma:=0.1..0.9"]
SEARCH = [
    "sweep", TASK, "-p", "rollouts:=6", *AXES, "--steps", "4", "--seeds", "2", "--workers", "1",
    "--sampler", "optuna",
]  # fmt: skip


def rows_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "sweep.csv").read_text().splitlines()[1:]))


def test_an_interrupted_search_goes_on_with_the_same_parameters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polo_ros.sweeps.pictures.draw_sweep", lambda *_: None)
    ran: list[dict[str, Any]] = []

    def interrupted(setup: EpisodeSetup, job: dict[str, Any]) -> dict[str, Any]:
        ran.append(job)
        if len(ran) == 6:  # the second seed of the third trial
            raise KeyboardInterrupt
        return run_episode(setup, job)

    monkeypatch.setattr(runs, "run_episode", interrupted)
    arguments = [*SEARCH, "--out", str(tmp_path)]
    assert main([*arguments, "--trials", "4"]) == 130
    assert len(rows_of(tmp_path)) == 5
    assert main([*arguments, "--trials", "4"]) == 0
    assert ran[6] == ran[5], "the interrupted run comes first, and its trial's first seed is not repeated"
    rows = rows_of(tmp_path)
    keys = [(row["horizon"], row["noise"], row["noise_sigma"], row["seed"]) for row in rows]
    assert len(set(keys)) == len(keys) == len(ran) - 1
    assert {row["horizon"] for row in rows} <= {"4", "5", "6", "7"}
    assert all(0.1 <= float(row["noise_sigma"]) <= 0.9 for row in rows)
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{tmp_path}/search.db")
    ended = [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(ended) == 4
    best = max(trial.value for trial in ended if trial.state.name == "COMPLETE")
    table = capsys.readouterr().out.splitlines()
    assert float(table[1].split()[3]) == pytest.approx(best, rel=1e-3)
    assert main([*arguments, "--trials", "4", "--minimize"]) == 1
    assert "was begun with other settings" in capsys.readouterr().err


def test_poor_trials_are_ended_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polo_ros.sweeps.pictures.draw_sweep", lambda *_: None)

    def known(setup: EpisodeSetup, job: dict[str, Any]) -> dict[str, Any]:
        return {**dict.fromkeys(runs.RESULTS, 0), **job, "mean_reward": -abs(job["noise_sigma"] - 0.7)}

    monkeypatch.setattr(runs, "run_episode", known)
    assert main([*SEARCH, "--trials", "9", "--out", str(tmp_path)]) == 0
    rows = rows_of(tmp_path)
    by_trial: dict[str, int] = {}
    for row in rows:
        by_trial[row["noise_sigma"]] = by_trial.get(row["noise_sigma"], 0) + 1
    distance = {sigma: abs(float(sigma) - 0.7) for sigma in by_trial}
    early = [sigma for sigma, seeds in by_trial.items() if seeds == 1]
    assert early and min(distance, key=distance.__getitem__) not in early
    whole = [sigma for sigma, seeds in by_trial.items() if seeds == 2]
    assert len(early) + len(whole) == 9
    assert "(ended early)" in (tmp_path / "sweep.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SEARCH, "--trials", "0"], "trials must be at least 1, not 0"),
        ([*SEARCH[:-2], "--trials", "5"], "--trials is for a search: add --sampler optuna"),
        ([*SEARCH, "-p", "rollouts:=5", "-p", "noise_knots:=4", "--trials", "2"], "are too few for 4 knots"),
        ([*SEARCH, "-p", "horizon:=2..3", "--trials", "2"], "none of the trials' parameters go together"),
    ],
)
def test_bad_searches_get_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
