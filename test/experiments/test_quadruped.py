"""The benchmark of a quadruped that walks: falls are counted."""

from pathlib import Path

import pytest

from benchmarks import quadruped

JOB = {
    "model": "go2_mj_description", "weights_file": "none", "overrides": "rollouts=8 horizon=8",
    "steps_per_second": 40_000, "seed": 0,
}  # fmt: skip


@pytest.mark.parametrize(("push", "falls"), [(0.0, False), (80.0, True)])
def test_a_robot_that_is_knocked_over_has_fallen(
    push: float, falls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quadruped, "SECONDS", 1.5)
    monkeypatch.setattr(quadruped, "PUSH_EVERY", 0.4)  # the first push, here
    row = quadruped.run_job({**JOB, "push": push}, config=None, first=1, picture=tmp_path / "none.png")
    if falls:
        assert 0.4 < row["fell_at"] < 1.5
    else:
        assert row["fell_at"] == "never" and row["plans_per_second"] > 45
