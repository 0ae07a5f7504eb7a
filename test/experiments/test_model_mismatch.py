"""Worlds of robots that are not as their models say."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import model_mismatch
from benchmarks.mismatched_robots import ROBOTS, MismatchedWorld, true_model
from polo_ros.tasks import make_task

CARTPOLE = ROBOTS["cartpole"]


@pytest.mark.parametrize(("late", "acts"), [(0.0, (0, 0)), (10.0, (1, 0)), (20.0, (1, 1)), (30.0, (2, 1))])
def test_a_command_acts_as_late_as_told(late: float, acts: tuple[int, int]) -> None:
    """`acts`: how many periods ago the commands of both halves of a period were sent."""
    world, punctual = (MismatchedWorld(CARTPOLE, "latency_ms", size, 0.02, 0) for size in (late, 0.0))
    sent = [np.zeros(1), np.zeros(1), *np.array([[0.3], [-0.7], [1.0], [0.5]])]
    for period in range(2, len(sent)):
        world.step(sent[period])
        for ago in acts:  # two physics steps a control period
            punctual.world.step(sent[period - ago], 1)
    np.testing.assert_array_equal(world.state, punctual.state)
    assert world.world.data.time == pytest.approx(4 * 0.02)


def test_a_payload_is_a_share_of_the_pole() -> None:
    nominal = make_task("cartpole_swingup").model
    heavier = true_model(nominal, CARTPOLE, "payload", 0.4)
    assert heavier.body("pole").mass == pytest.approx(1.4 * nominal.body("pole").mass)
    assert heavier.body("pole").inertia == pytest.approx(1.4 * nominal.body("pole").inertia)
    assert heavier.body("cart").mass == nominal.body("cart").mass


def test_the_file_names_its_seeds_and_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "wrong.csv"
    command = f"model_mismatch --robot cartpole --seeds 3 --steps 2 --processes 1 --out {out}"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--only", "gain=0.7"])
    model_mismatch.main()
    assert len(out.read_text().splitlines()) == 2 + len(CARTPOLE.planning)
    monkeypatch.setattr(sys, "argv", command.split())
    model_mismatch.main()
    lines = out.read_text().splitlines()
    assert lines[0] == "# python -m benchmarks.model_mismatch --robot cartpole --seeds 3"
    robots = 1 + sum(len(sizes) for sizes in CARTPOLE.errors.values()) - len(CARTPOLE.errors)
    assert len(lines) == 2 + robots * len(CARTPOLE.planning)
    assert out.with_suffix(".png").is_file()
    before = out.read_bytes()
    monkeypatch.setattr(model_mismatch, "run_jobs", lambda _, jobs: iter(jobs))
    model_mismatch.main()  # a job that ran again would come back without its results
    assert out.read_bytes() == before
