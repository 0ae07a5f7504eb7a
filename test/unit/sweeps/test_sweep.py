"""`polo sweep`: tidy rows, one way to judge, resuming, and what it writes."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from polo_ros.cli import main
from polo_ros.parameters.settings import settings_for
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.sweeps import runs
from polo_ros.sweeps.jobs import LostJobsError
from polo_ros.sweeps.runs import EpisodeSetup, run_episode
from test.support.refusals import refused

TASK = "cartpole_swingup"
SMALL = ["sweep", TASK, "-p", "rollouts:=6", "--steps", "8", "--seeds", "2", "--workers", "1"]
AXES = ["-p", "horizon:=4,8", "-p", "noise_sigma:=0.2..0.6:2"]


def swept(out: Path, *arguments: str) -> list[dict[str, str]]:
    """Run a small sweep; its rows."""
    assert main([*SMALL, *arguments, "--out", str(out)]) == 0
    return list(csv.DictReader((out / "sweep.csv").read_text().splitlines()[1:]))


def test_rows_table_page_picture_and_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = swept(tmp_path, *AXES, "--parquet")
    captured = capsys.readouterr()
    assert "8/8" in captured.err
    keys = [(row["horizon"], row["noise_sigma"], row["seed"]) for row in rows]
    assert keys == [(h, s, seed) for h in ("4", "8") for s in ("0.2", "0.6") for seed in ("0", "1")]
    frame = pd.read_csv(tmp_path / "sweep.csv", comment="#")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "sweep.parquet"), frame)
    means = frame.groupby(["horizon", "noise_sigma"])["mean_reward"].mean()
    *table, last = captured.out.splitlines()
    assert last == f"best parameters: {tmp_path}/best.yaml; all results: {tmp_path}"
    assert table[0].split()[:3] == ["horizon", "noise_sigma", "mean_reward"] and len(table) == 5
    horizon, sigma = means.idxmax()
    best = table[1].split()
    assert (int(best[0]), float(best[1])) == (horizon, sigma)
    assert float(best[2]) == pytest.approx(means.max(), rel=1e-3)
    given = ParameterFile.read(tmp_path / "best.yaml").values("/planner_node")
    assert given == {"horizon": horizon, "noise_sigma": sigma, "rollouts": 6}
    overridden = settings_for(TASK, layers=[ParameterFile.parse_overrides(str(tmp_path / "best.yaml"))])
    assert (overridden.planner.horizon, overridden.planner.noise_sigma) == (horizon, sigma)
    page = (tmp_path / "sweep.md").read_text()
    assert "![mean_reward](sweep.png)" in page and page.count("\n| ") == 5
    assert "planner_node.rollouts:=6" in page and "planner_node.horizon:=" not in page
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_what_evaluate_makes(tmp_path: Path) -> None:
    rows = swept(tmp_path / "sweep", "-p", "horizon:=4,8")
    arguments = ["-p", "rollouts:=6", "-p", "horizon:=8", "--seeds", "2", "--steps", "8"]
    assert main(["evaluate", TASK, *arguments, "--out", str(tmp_path / "evaluation")]) == 0
    file = tmp_path / "evaluation" / "evaluation.csv"
    evaluated = list(csv.DictReader(file.read_text().splitlines()[1:]))
    shared = rows[0].keys() & evaluated[0].keys()
    assert {"seed", "mean_reward", "effective_sample_size", "solved", "solved_at"} <= shared
    chosen = [row for row in rows if row["horizon"] == "8"]
    assert [{name: row[name] for name in shared} for row in chosen] == [
        {name: row[name] for name in shared} for row in evaluated
    ]


def test_runs_with_other_reward_weights_are_judged_alike() -> None:
    changed = {"reward.upright": 0.0, "reward.centre": -1.0}
    setup = EpisodeSetup(TASK, None, [], {"horizon": 4, "rollouts": 6}, steps=8).prepared([changed])
    assert setup.judge == settings_for(TASK).task.weights, "without the sweep's changes"
    shifted = replace(setup, judge={name: 3.0 * weight for name, weight in setup.judge.items()})
    judged, thrice = (run_episode(each, {**changed, "seed": 0}) for each in (setup, shifted))
    assert judged["mean_reward"] != 0.0
    assert thrice["mean_reward"] == pytest.approx(3.0 * judged["mean_reward"])
    assert thrice["measure_last"] == judged["measure_last"], "the planner's own weights are the changed ones"
    default = run_episode(setup, {"seed": 0})
    assert default["measure_last"] != judged["measure_last"]


def test_a_sweep_goes_on_where_it_was_interrupted_and_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polo_ros.sweeps.pictures.draw_sweep", lambda *_: None)
    whole = swept(tmp_path / "whole", *AXES)
    out = tmp_path / "out"
    ran: list[dict[str, Any]] = []

    def counted(setup: EpisodeSetup, job: dict[str, Any]) -> dict[str, Any]:
        ran.append(job)
        if len(ran) == 4:
            raise KeyboardInterrupt
        return run_episode(setup, job)

    monkeypatch.setattr(runs, "run_episode", counted)
    assert main([*SMALL, *AXES, "--out", str(out)]) == 130
    assert swept(out, *AXES) == whole
    assert len(ran) == 4 + 5
    grown = swept(out, "-p", "horizon:=4,8,12", *AXES[2:])
    assert len(grown) == 12 and len(ran) == 9 + 4
    assert grown[:8] == whole


def test_json_has_every_combination(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--objective", "simulator_steps", "--minimize", "--json"]
    swept(tmp_path, "-p", "horizon:=8,4", "--seeds", "1", *arguments)
    found = json.loads(capsys.readouterr().out)
    assert found["best"]["parameters"] == {"horizon": 4} and found["best"]["half_interval"] is None
    assert [each["parameters"]["horizon"] for each in found["combinations"]] == [4, 8]
    assert Path(found["folder"]) == tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "horizon:=4,6,8"],
        ["-p", "horizon:=4..8", "-p", "noise_sigma:=0.1..0.9", "--sampler", "optuna", "--trials", "3"],
    ],
    ids=["grid", "optuna"],
)
def test_a_lost_run_leaves_the_results_of_the_others_and_runs_again(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("polo_ros.sweeps.pictures.draw_sweep", lambda *_: None)
    if "optuna" in arguments:
        pytest.importorskip("optuna", reason="the extra optuna is not installed")
    count = 0

    def lose_the_third(
        run: Callable[[dict[str, Any]], dict[str, Any]], jobs: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        nonlocal count
        lost = []
        for job in jobs:
            count += 1
            if count == 3:
                lost.append(job)
            else:
                yield run(job)
        if lost:
            raise LostJobsError(lost)

    command = [*SMALL, *arguments, "--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(runs, "run_jobs", lose_the_third)
        said = refused(command, capsys)
    assert "a worker process died in both tries of horizon=" in said and "run the command again" in said
    assert (tmp_path / "best.yaml").is_file() and (tmp_path / "sweep.md").is_file()
    before = (tmp_path / "sweep.csv").read_text().splitlines()
    assert main(command) == 0
    after = (tmp_path / "sweep.csv").read_text().splitlines()
    assert set(before) < set(after) and count > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "horizon:=8"], "nothing varies: give a parameter several values"),
        (["-p", "horizn:=8,16"], "planner_node has no parameter horizn; did you mean horizon?"),
        (["-p", "horizon:=8,16", "-p", "rollout:=8"], "no parameter rollout; did you mean rollouts?"),
        (["-p", "noise_sigma:=0.6..0.2"], "the range of 'noise_sigma:=0.6..0.2' is empty"),
        (["-p", "rollouts:=4,8", "-p", "noise_knots:=4"], "rollouts 4 are too few for 4 knots"),
        (["-p", "horizon:=8,16", "--objective", "mean_rewrad"], "did you mean mean_reward?"),
        (["-p", "horizon:=8,16", "--seeds", "0"], "seeds must be at least 1, not 0"),
        (["-p", "horizon:=8,16", "--first-seed", "-1"], "seeds must be at least 0, not -1"),
        (["-p", "horizon:=8,16", "--workers", "-1"], "workers must be at least 1, or 0 for one per core"),
        (["-p", "horizon:=8,16", "--backend", "spark"], "there is no back end 'spark'; known are loky, ray"),
        (["-p", "horizon:=8,16", "-p", "weights_file:=none.safetensors"], "none.safetensors"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in refused(["sweep", TASK, *arguments], capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_settings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path, "-p", "horizon:=4,8", "--seeds", "1")
    before = (tmp_path / "sweep.csv").read_bytes()
    other = [*SMALL, "-p", "horizon:=4,8", "-p", "temperature:=0.5", "--out", str(tmp_path)]
    assert "was begun with other settings (# polo sweep" in refused(other, capsys)
    axes = [*SMALL, "-p", "noise_sigma:=0.1,0.2", "--out", str(tmp_path)]
    assert "has other columns than this run writes; give another --out" in refused(axes, capsys)
    assert (tmp_path / "sweep.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    [
        (
            "pandas",
            [],
            "polo sweep needs the package pandas, which is not installed: pip install 'polo_ros[sweep]'",
        ),
        ("joblib", [], "polo sweep needs the package joblib"),
        ("pyarrow", ["--parquet"], "--parquet needs the package pyarrow"),
        ("ray", ["--backend", "ray"], "--backend ray needs the package ray"),
        ("distributed", ["--backend", "dask"], "--backend dask needs the package distributed"),
        ("optuna", ["--sampler", "optuna"], "not installed: pip install 'polo_ros[optuna]'"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    package: str,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert message in refused(["sweep", TASK, "-p", "horizon:=4,8", *arguments], capsys)


# each worker process takes seconds to start
@pytest.mark.parametrize(
    ("backend", "package", "workers"), [("ray", "ray", "2"), ("dask", "distributed", "1")]
)
def test_equal_seeds_give_equal_rows_on_every_back_end(
    backend: str, package: str, workers: str, tmp_path: Path
) -> None:
    pytest.importorskip(package, reason=f"the extra {backend} is not installed")
    arguments = ["-p", "horizon:=4,8", "--seeds", "2", "--workers", workers]
    expected = swept(tmp_path / "loky", *arguments)
    assert swept(tmp_path / backend, *arguments, "--backend", backend) == expected
