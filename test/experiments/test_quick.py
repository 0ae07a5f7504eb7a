"""Every experiment at its quick size, from the command line: whole tables, pictures and reports."""

import csv
from pathlib import Path

import pytest

from experiments import experiment, experiments
from experiments.reproduce import key
from polo_ros.cli import main


@pytest.mark.parametrize("name", experiments())
def test_the_quick_size_gives_rows_pictures_and_a_report(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", name, "--quick", "--workers", "1", "--out", str(tmp_path)]) == 0
    chosen = experiment(name)
    with (tmp_path / f"{name}.csv").open() as file:
        assert file.readline().startswith(f"# polo reproduce {name} --quick")
        rows = list(csv.DictReader(file))
    jobs = {key(chosen, job) for job in chosen.jobs(quick=True)}
    assert {key(chosen, row) for row in rows} == jobs
    assert all(row[column] for row in rows for column in chosen.results)
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    report = (tmp_path / f"{name}.md").read_text()
    assert report.strip() in capsys.readouterr().out
    assert f"{len(jobs)} jobs took" in report
