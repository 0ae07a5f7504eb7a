"""Cheap trainings: trained once, with their CPU time, and judged beside the planner alone."""

import sys
from pathlib import Path

import pytest

from experiments import cheap_training
from experiments.continuations import Amounts


def test_a_training_is_made_once_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cheap_training, "AMOUNTS", Amounts(11, 0.48, 2, 0.48, 11, 0.4))
    monkeypatch.setattr(cheap_training, "PLANNERS", ((8, 6),))
    monkeypatch.setattr(cheap_training, "JUDGES", ((4, 6),))
    command = f"cheap_training --trainings 1 --seeds 1 --steps 3 --out {tmp_path}/out"
    monkeypatch.setattr(sys, "argv", command.split())
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.chdir(tmp_path)
    cheap_training.main()
    rows = [line.split(",") for line in (tmp_path / "out/cheap_training.csv").read_text().splitlines()[2:]]
    assert [row[:2] for row in rows] == [["0", "polo"], ["0", "mpc"]]
    assert [float(row[7]) for row in rows] == pytest.approx([11 * 0.48 + 2 * 0.48, 0.0])
    assert 0.0 < float(rows[0][6]) < 0.1 and float(rows[1][6]) == 0.0
    assert (tmp_path / "out/cheap_training.png").is_file()
    monkeypatch.setattr(cheap_training.subprocess, "run", None)
    cheap_training.main()  # neither trained nor judged again
