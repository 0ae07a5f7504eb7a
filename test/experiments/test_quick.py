"""Every experiment at its quick size: whole tables, pictures and reports."""

from pathlib import Path

import pandas as pd
import pytest

from experiments import experiment, experiments
from experiments.__main__ import main
from polo_ros.sweeps.results_file import text


@pytest.mark.usefixtures("no_film_strips")
@pytest.mark.parametrize("name", experiments())
def test_the_quick_size_gives_rows_pictures_and_a_report(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--quick", "--workers", "1", "--out", str(tmp_path)]) == 0
    chosen, file = experiment(name), tmp_path / f"{name}.csv"
    assert file.read_text().startswith(f"# polo reproduce {name} --quick; {{")
    rows = pd.read_csv(file, comment="#", dtype=str, keep_default_na=False)
    keys = list(chosen.settings)
    found = rows[keys].drop_duplicates().to_numpy().tolist()
    assert found == [[text(job[key]) for key in keys] for job in chosen.jobs(quick=True)]
    assert (rows[list(chosen.results)] != "").all(axis=None)
    pictures = list(tmp_path.glob("*.png"))
    assert pictures and all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    report = (tmp_path / f"{name}.md").read_text()
    assert report.strip() in capsys.readouterr().out
    assert f"{len(found)} jobs took" in report
