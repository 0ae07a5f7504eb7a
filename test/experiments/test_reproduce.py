"""`polo reproduce`: interrupted runs resume, tables are complete and ordered, bad input gets one sentence."""

import csv
import inspect
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import products
import pytest
from products import Dying, LastFirst, Products, Refusing, Sharing, wait_for

from experiments import experiment, experiments
from experiments.__main__ import main
from experiments.reproduce import TIMES, complete, cost, header, reproduce, stages
from polo_ros.errors import PoloError
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile

COLUMNS = ("number", "factor", "part", "product", *TIMES)
HEADER = '# polo reproduce products; {"parts": 2}'


def alive(pid: int) -> bool:
    """Whether a process runs; zombies do not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def table(file: Path) -> tuple[str, list[dict[str, str]]]:
    """Header and rows of a CSV file, every row whole."""
    first, *lines = file.read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert lines[0].split(",") == list(COLUMNS)
    assert all(None not in row and None not in row.values() for row in rows)
    return first, rows


def test_rows_stand_in_the_jobs_order_whichever_ends_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = LastFirst(tmp_path)
    with worker_processes(2):
        frame = complete(chosen, False, chosen.file)
        threads = list(run_jobs(products.thread_counts, [0, 1]))
    first, written = table(chosen.file)
    assert first == HEADER
    assert [(row["number"], row["part"]) for row in written] == [
        (str(number), str(part)) for number in range(4) for part in (1, 2)
    ]
    pd.testing.assert_frame_equal(frame, pd.read_csv(chosen.file, comment="#"))
    # floats to six digits, also those that identify a job
    assert {row["factor"] for row in written} == {"0.333333"}
    assert [row["product"] for row in written[2:4]] == ["0.333333", "0.666667"]
    # job 0 waited on the wall clock, not on the processor
    assert (frame[list(TIMES)] >= 0.0).all(axis=None)
    assert frame["wall_time"][0] > frame["cpu_time"][0]
    assert sorted(chosen.runs) == [0, 1, 2, 3]
    assert len(chosen.workers) == 2 and os.getpid() not in chosen.workers
    assert threads == [(1, "1"), (1, "1")]
    assert "4/4" in capsys.readouterr().err


def test_jobs_that_share_a_training_wait_for_it(tmp_path: Path) -> None:
    chosen = Sharing(tmp_path)
    jobs = chosen.jobs(quick=False)
    assert stages(chosen, jobs) == ([jobs[1], jobs[0]], [jobs[2], jobs[3]])
    with worker_processes(2):
        assert len(complete(chosen, False, chosen.file)) == 8


def test_only_what_is_missing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = Products(tmp_path)
    frame = complete(chosen, False, chosen.file)
    whole = chosen.file.read_text()
    assert chosen.runs == [0, 1, 2, 3]
    progress = capsys.readouterr().err
    assert re.search(r"products:.*4/4 \[\d\d:\d\d<\d\d:\d\d", progress)  # elapsed < left
    assert "already complete" not in progress
    again = complete(chosen, False, chosen.file)
    pd.testing.assert_frame_equal(again, frame)
    assert capsys.readouterr().err == "polo reproduce products: already complete, nothing run\n"
    assert chosen.runs == [0, 1, 2, 3] and chosen.file.read_text() == whole
    lines = whole.splitlines(keepends=True)
    chosen.file.write_text("".join(line for line in lines if not line.startswith("2,")))
    capsys.readouterr()
    frame = complete(chosen, False, chosen.file)
    assert chosen.runs == [0, 1, 2, 3, 2]
    assert "3/4" in capsys.readouterr().err  # the bar begins where the file ends
    assert list(frame["number"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    # rows of jobs that an earlier version had stay in the file, after the others, but not among the results
    lines = whole.splitlines(keepends=True)
    chosen.file.write_text("".join([*lines[:2], "9,0.333333,1,3,0,0\n", *lines[4:]]))
    assert len(complete(chosen, False, chosen.file)) == 8
    assert chosen.runs == [0, 1, 2, 3, 2, 0]
    assert chosen.file.read_text().endswith("\n9,0.333333,1,3,0,0\n")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_finished_jobs_and_no_processes_outlive_an_interruption(tmp_path: Path, sent: signal.Signals) -> None:
    chosen = Products(tmp_path, awaited="go")
    paths = os.pathsep.join(path for path in sys.path if path)
    running = subprocess.Popen(
        [sys.executable, products.__file__, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        # these tests may run in the background, where SIGINT is ignored and so in every child
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        wait_for(lambda: 1 in chosen.runs and chosen.file.exists() and len(table(chosen.file)[1]) == 6)
        assert len(chosen.workers) == 2
        if sent == signal.SIGINT:  # a terminal sends it to all processes
            os.killpg(running.pid, sent)
        else:
            running.kill()
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    if sent == signal.SIGINT:
        assert running.returncode == 130
        assert said.splitlines()[-1] == "polo: interrupted; what was written stays"
    assert "Traceback" not in said
    wait_for(lambda: not any(map(alive, chosen.workers)))
    assert [row["number"] for row in table(chosen.file)[1]] == list("002233")
    begun = chosen.runs
    (tmp_path / "go").touch()
    frame = complete(chosen, False, chosen.file)  # the interrupted job runs again
    assert list(frame["number"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert chosen.runs == [*begun, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}\nnumber,colour\n", "other columns than this run writes"),
        ("", "other columns than this run writes"),
        (
            f'# polo reproduce products; {{"parts": 3}}\n{",".join(COLUMNS)}\n',
            r'begun with other settings \(# polo reproduce products; {"parts": 3}\); give another --out',
        ),
        (
            f"{HEADER.replace(';', ' --quick;')}\n{','.join(COLUMNS)}\n",
            r"begun with other settings \(# .* --quick; .*\); give another --out",
        ),
        (f"{HEADER}\n{','.join(COLUMNS)}\n0,0.333\n", "has an incomplete row"),
        (f"{HEADER}\n{','.join(COLUMNS)}\n0,0.333,1,2,3,4,5,6\n", "has an incomplete row"),
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: str, message: str) -> None:
    chosen = Products(tmp_path)
    chosen.file.write_text(content)
    with pytest.raises(PoloError, match=message) as refusal:
        complete(chosen, False, chosen.file)
    assert "\n" not in str(refusal.value) and str(chosen.file) in str(refusal.value)
    assert chosen.file.read_text() == content and chosen.runs == []


def test_a_job_that_refuses_or_a_worker_that_dies_leaves_whole_rows(tmp_path: Path) -> None:
    for kind, workers, message in (
        (Refusing, 1, "^1 is no number$"),
        (Dying, 2, "worker process died.*run the command again"),
    ):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        chosen = kind(folder)
        with pytest.raises(PoloError, match=message), worker_processes(workers):
            complete(chosen, True, chosen.file)
        first, rows = table(chosen.file)
        assert first == '# polo reproduce products --quick; {"parts": 2}'
        assert [row["number"] for row in rows] == ["0", "0"]


def test_a_finished_figure_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = Products(tmp_path)
    monkeypatch.setattr("experiments.reproduce.experiment", lambda name: chosen)
    for runs in (4, 4):
        lines = reproduce("products", False, tmp_path, workers=1)
        assert len(chosen.runs) == runs
        assert lines[0] == "8 rows" and "4 jobs took" in lines[-1]
        assert (tmp_path / "products.md").read_text() == "\n".join(lines) + "\n"
        (tmp_path / "products.png").unlink()
    assert "already complete, nothing run" in capsys.readouterr().err


def test_cost_counts_a_job_once() -> None:
    frame = pd.DataFrame({"number": [0, 0, 1], "factor": 1, "wall_time": 90.0, "cpu_time": 12.345})
    said = cost(frame, Products(Path()))
    assert said == "2 jobs took 3.0 minutes of wall time and 24.7 s of CPU time."


@pytest.mark.parametrize("name", experiments())
def test_every_committed_figure_is_complete(name: str) -> None:
    chosen = experiment(name)
    file = Path(__file__).parents[2] / "results" / name / f"{name}.csv"
    results = ResultsFile(file, header(chosen, False), chosen.settings, (*chosen.results, *TIMES))
    assert results.missing(chosen.jobs(quick=False)) == []


def test_every_experiment_is_well_formed() -> None:
    known = experiments()
    assert known and list(known) == sorted(known)
    for name, found in known.items():
        chosen = experiment(name)
        assert isinstance(chosen, found) and chosen.name == name
        assert chosen.summary and "\n" not in chosen.summary
        columns = (*chosen.settings, *chosen.results, *TIMES)
        assert len(set(columns)) == len(columns)
        for quick in (False, True):
            jobs = chosen.jobs(quick)
            assert jobs and all(set(job) == set(chosen.settings) for job in jobs)
            assert len({tuple(job.values()) for job in jobs}) == len(jobs), "two jobs of the same settings"
            assert "\n" not in header(chosen, quick)
            assert all(isinstance(chosen.training(job), str) for job in jobs)
        assert len(chosen.jobs(quick=True)) <= len(chosen.jobs(quick=False))
        assert not inspect.isabstract(found)


def test_without_a_name_every_experiment_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(experiments())
    for line, found in zip(lines, experiments().values(), strict=True):
        assert line.endswith(found.summary)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["juggling"], "there is nothing to reproduce named 'juggling'; known are ablations, bounds"),
        (["bounds", "--workers", "-1"], "workers must be at least 1, or 0 for one per core, not -1"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert (
        captured.out == "" and captured.err.startswith(f"polo: {message}") and captured.err.count("\n") == 1
    )
    assert list(tmp_path.iterdir()) == []
