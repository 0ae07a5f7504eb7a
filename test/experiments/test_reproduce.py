"""`polo reproduce`: interrupted runs go on, tables are whole and in order, bad input gets one sentence."""

import csv
import inspect
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from experiments import Experiment, Row, experiment, experiments
from experiments.reproduce import TIMES, complete, cost, key
from polo_ros.cli import main
from polo_ros.errors import PoloError

COLUMNS = ("number", "factor", "part", "product", *TIMES)


@dataclass(frozen=True)
class Products(Experiment):
    """Two rows a job: number times factor, and twice that; each run of a job leaves a file behind."""

    folder: Path
    # job 1 waits for this file, if any is named
    awaited: str = ""

    name: ClassVar[str] = "products"
    summary: ClassVar[str] = "products of numbers"
    settings: ClassVar[tuple[str, ...]] = ("number", "factor")
    results: ClassVar[tuple[str, ...]] = ("part", "product")

    def jobs(self, quick: bool) -> Sequence[Row]:
        return [{"number": number, "factor": 1.0 / 3.0} for number in range(2 if quick else 4)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        number = job["number"]
        (self.folder / f"job{number}-{os.getpid()}-{time.time_ns()}").touch()
        if number == 1 and self.awaited:
            wait_for((self.folder / self.awaited).exists)
        return [{"part": part, "product": number * part * job["factor"]} for part in (1, 2)]

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        (folder / "products.png").touch()

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        return [f"{len(rows)} rows"]

    def fixed(self, quick: bool) -> str:
        return "two parts"

    @property
    def file(self) -> Path:
        return self.folder / "products.csv"

    @property
    def runs(self) -> list[int]:
        """The jobs that were begun, in order."""
        marks = sorted(self.folder.glob("job*"), key=lambda path: path.name.split("-")[2])
        return [int(path.name.split("-")[0].removeprefix("job")) for path in marks]


class LastFirst(Products):
    """Job 0 ends once job 1 stands in the table."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 0:
            wait_for(lambda: "\n1," in self.file.read_text())
        return super().run(job, quick, folder)


class Refusing(Products):
    """Job 1 refuses what it is given."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 1:
            raise PoloError("1 is no number")
        return super().run(job, quick, folder)


class Dying(Products):
    """Job 1 takes its process with it."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 1:
            wait_for(lambda: "\n0," in self.file.read_text())
            os._exit(1)
        return super().run(job, quick, folder)


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs, orphans that nobody buries aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def table(file: Path) -> tuple[str, list[dict[str, str]]]:
    """Header and rows of a CSV file, every row whole."""
    header, *lines = file.read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert lines[0].split(",") == list(COLUMNS)
    assert all(None not in row and None not in row.values() for row in rows)
    return header, rows


def test_rows_stand_in_the_jobs_order_whichever_ends_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = LastFirst(tmp_path)
    rows = complete(chosen, False, chosen.file, workers=2)
    header, written = table(chosen.file)
    assert header == "# polo reproduce products; two parts"
    assert rows == written
    assert [(row["number"], row["part"]) for row in rows] == [
        (str(number), str(part)) for number in range(4) for part in (1, 2)
    ]
    # floats to six digits, also those that identify a job
    assert {row["factor"] for row in rows} == {"0.333333"}
    assert [row["product"] for row in rows[2:4]] == ["0.333333", "0.666667"]
    # job 0 waited on the wall clock, not on the processor
    assert all(float(row[name]) >= 0.0 for row in rows for name in TIMES)
    assert float(rows[0]["wall_time"]) > float(rows[0]["cpu_time"])
    assert sorted(chosen.runs) == [0, 1, 2, 3]
    progress = capsys.readouterr().err
    assert "4/4" in progress
    assert re.search(r"products:.*[123]/4 \[\d\d:\d\d<\d\d:\d\d", progress)  # elapsed < left


def test_only_what_is_missing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = Products(tmp_path)
    complete(chosen, False, chosen.file, workers=1)
    whole = chosen.file.read_text()
    assert chosen.runs == [0, 1, 2, 3]
    assert complete(chosen, False, chosen.file) == table(chosen.file)[1]
    assert chosen.runs == [0, 1, 2, 3] and chosen.file.read_text() == whole
    lines = whole.splitlines(keepends=True)
    chosen.file.write_text("".join(line for line in lines if not line.startswith("2,")))
    capsys.readouterr()
    rows = complete(chosen, False, chosen.file, workers=1)
    assert chosen.runs == [0, 1, 2, 3, 2]
    assert "3/4" in capsys.readouterr().err  # the bar begins where the file ends
    assert [row["number"] for row in rows] == list("00112233")
    # what is no job any more stays in the file, but not among the rows
    chosen.file.write_text(f"{whole}9,0.333333,1,3,0,0\n")
    assert len(complete(chosen, False, chosen.file)) == 8
    assert chosen.file.read_text() == f"{whole}9,0.333333,1,3,0,0\n"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_whole_rows_and_no_processes_outlive_an_interruption(tmp_path: Path, sent: signal.Signals) -> None:
    code = (
        "import sys; from pathlib import Path; import test_experiments as t;"
        "from experiments.reproduce import complete;"
        "chosen = t.Products(Path(sys.argv[1]), awaited='go');"
        "complete(chosen, False, chosen.file, workers=1)"
    )
    chosen = Products(tmp_path, awaited="go")
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: chosen.runs == [0, 1] and len(table(chosen.file)[1]) == 2)
        (worker,) = {int(path.name.split("-")[1]) for path in tmp_path.glob("job*")}
        assert alive(worker)
        running.send_signal(sent)  # to the parent alone
        running.wait(60)
    finally:
        running.kill()
    wait_for(lambda: not alive(worker))
    assert [row["number"] for row in table(chosen.file)[1]] == ["0", "0"]
    if sent == signal.SIGINT:  # the interrupted job is done again
        (tmp_path / "go").touch()
        rows = complete(chosen, False, chosen.file, workers=1)
        assert [row["number"] for row in rows] == list("00112233")
        assert chosen.runs == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# polo reproduce products; two parts\nnumber,colour\n", "other columns than this version writes"),
        ("", "other columns than this version writes"),
        (f"# polo reproduce products; three parts\n{','.join(COLUMNS)}\n", "begun with other settings"),
        (
            f"# polo reproduce products --quick; two parts\n{','.join(COLUMNS)}\n",
            r"begun with other settings \(# .* --quick; two parts\); give another --out",
        ),
        (f"# polo reproduce products; two parts\n{','.join(COLUMNS)}\n0,0.333\n", "has an incomplete row"),
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: str, message: str) -> None:
    chosen = Products(tmp_path)
    chosen.file.write_text(content)
    with pytest.raises(PoloError, match=message) as refusal:
        complete(chosen, False, chosen.file)
    assert "\n" not in str(refusal.value) and str(chosen.file) in str(refusal.value)
    assert chosen.file.read_text() == content and chosen.runs == []


def test_a_job_that_refuses_or_dies_leaves_whole_rows(tmp_path: Path) -> None:
    for kind, message in ((Refusing, "^1 is no number$"), (Dying, "died.*run the command again")):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        chosen = kind(folder)
        with pytest.raises(PoloError, match=message):
            complete(chosen, True, chosen.file, workers=1)
        header, rows = table(chosen.file)
        assert header == "# polo reproduce products --quick; two parts"
        assert [row["number"] for row in rows] == ["0", "0"]


def test_cost_counts_a_job_once() -> None:
    chosen = Products(Path())
    rows = [
        {"number": str(number), "factor": "1", "wall_time": "90", "cpu_time": "12.345"}
        for number in (0, 0, 1)
    ]
    assert cost(rows, chosen) == "2 jobs took 3.0 minutes of wall time and 24.7 s of CPU time."


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
            assert len({key(chosen, job) for job in jobs}) == len(jobs), "two jobs of the same settings"
            assert "\n" not in chosen.fixed(quick)
        assert len(chosen.jobs(quick=True)) <= len(chosen.jobs(quick=False))
        assert not inspect.isabstract(found)


def test_without_a_name_every_experiment_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce"]) == 0
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
    assert main(["reproduce", *arguments]) == 1
    captured = capsys.readouterr()
    assert (
        captured.out == "" and captured.err.startswith(f"polo: {message}") and captured.err.count("\n") == 1
    )
    assert list(tmp_path.iterdir()) == []
