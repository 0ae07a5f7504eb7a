"""The benchmark of sensors at their own rates: a velocity goal counts, and an interrupted run goes on."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sensors
from benchmarks.simulated_sensors import SimulatedSensors
from polo_ros.tasks import features, make_task


def test_runs_are_written_once_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "sensors.csv"
    command = [
        "sensors", "--task", "quadruped_walk", "--config", "quadruped_walk.yaml",
        "--velocity", "0.5", "0", "0", "--robots", "as the model",
        "--sensing", "ideal", "imu", "--seeds", "3", "--steps", "4", "--processes", "1", "--out", str(out),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    sensors.main()
    lines = out.read_text().splitlines()
    assert "--robots 'as the model' --sensing ideal imu" in lines[0]
    assert [line.split(",")[:5] for line in lines[2:]] == [
        ["quadruped_walk", "as the model", sensing, "3", "4"] for sensing in ("ideal", "imu")
    ]
    assert out.with_suffix(".png").is_file()
    before = out.read_bytes()
    monkeypatch.setattr(sensors, "run_jobs", lambda _, jobs: iter(jobs))
    sensors.main()  # a job that ran again would come back without its results
    assert out.read_bytes() == before


def test_the_goal_is_the_velocity_that_is_asked_for() -> None:
    task = make_task("quadruped_walk")
    robot = SimulatedSensors(task, "as the model", "ideal", 0, (0.5, -0.1, 0.2))
    robot.step(task.neutral, 20)
    wanted = features.velocity_goal(task.observe(np.array(robot.truth)))
    np.testing.assert_allclose(wanted, np.tile([0.5, -0.1, 0.2], (20, 1)))
