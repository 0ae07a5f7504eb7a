"""Figure 3 with the values that ship: runs with and without a value function, written once and drawn."""

import sys
from pathlib import Path

import pytest

from experiments import shipped_horizons


def test_runs_with_and_without_the_values_that_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "shipped.csv"
    command = f"shipped_horizons --points 4,6 5,6 --seeds 1 --steps 3 --processes 1 --out {out}"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--override", "noise_sigma=0.3"])
    shipped_horizons.main()
    rows = [line.split(",") for line in out.read_text().splitlines()[2:]]
    assert [row[:5] for row in rows] == [
        [file, method, horizon, "6", "noise_sigma=0.3"]
        for file in shipped_horizons.FILES
        for horizon in ("4", "5")
        for method in ("mpc", "polo")
    ]
    assert all(row[7] == "0" for row in rows), "nobody stands up in three steps"
    assert out.with_suffix(".png").is_file()
    before = out.read_bytes()
    shipped_horizons.main()
    assert out.read_bytes() == before
