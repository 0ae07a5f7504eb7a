"""docs/scale.md: its tables are those of the figures, and what it counts without ROS is what ROS sends."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale_measure import ENVELOPE, byte_figures
from benchmarks.scale_projection import Machine, read, tables
from polo_ros.learner.experience import experience_width
from polo_ros.parameters.settings import settings_for

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "benchmarks/results/scale.csv"


@pytest.fixture(scope="module")
def humanoid() -> Machine:
    return read(FIGURES)["humanoid_getup"]


def test_the_page_has_the_tables_of_the_figures() -> None:
    page = (ROOT / "docs/scale.md").read_text()
    for lines in tables(FIGURES):
        assert "\n".join(lines) in page, "run python -m benchmarks.scale --draw-only and copy its tables"


def test_the_model_of_a_plan_is_near_the_plans_that_were_measured(humanoid: Machine) -> None:
    _, horizon = humanoid.own
    for threads in (1, 2):
        for rollouts in humanoid.sizes:
            measured = 1e-3 * humanoid.figure("plan", threads, rollouts)
            assert humanoid.plan(threads, rollouts, horizon) == pytest.approx(measured, rel=0.15)


def test_most_is_the_largest_that_fits_into_a_period(humanoid: Machine) -> None:
    rollouts, horizon = humanoid.own
    period = humanoid.figure("control period")
    most = humanoid.most(16, rollouts, horizon, "rollouts")
    assert humanoid.plan(16, most, horizon) <= period < humanoid.plan(16, most + 1, horizon)
    longest = humanoid.most(16, rollouts, horizon, "horizon")
    assert humanoid.plan(16, rollouts, longest) <= period < humanoid.plan(16, rollouts, longest + 1)


def test_bytes_of_experience_are_those_of_the_message() -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    from polo_ros.nodes.messages.experience import pack_experience

    settings = settings_for("humanoid_getup")
    task = settings.task
    message = pack_experience(1.0, 2, np.zeros(task.state_size), np.zeros(task.model.nu), 0.5)
    size = len(serialization.serialize_message(message))
    assert size == ENVELOPE + 8 * experience_width(task)
    counted = {figure.quantity: figure.median for figure in byte_figures(settings)}
    assert counted["experience message"] == size
