"""Lights, the map of values, the force of a drag."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from polo_ros.tasks import make_task
from polo_ros.viewer.lights import SILENT_COLOUR, Light, lights_html
from polo_ros.viewer.pushing import MOST_WEIGHTS, STANDARD_GRAVITY, STIFFNESS, spring_force
from polo_ros.viewer.value_map import COLOURS, colours


def test_a_light_shows_level_and_sentence_and_runs_nothing() -> None:
    light = Light(2, "no state <script>alert(1)</script>", time.monotonic())
    shown = lights_html(("planner_node", "learner_node"), {"planner_node": light})
    assert "#e03131" in shown and "<b>planner</b>: no state &lt;script&gt;" in shown
    assert SILENT_COLOUR in shown and "<b>learner</b>: silent" in shown
    assert "<script" not in shown


def test_the_least_value_is_dark_and_the_largest_bright() -> None:
    shown = colours(np.array([[1.0, 3.0], [2.0, 5.0]]))
    assert_allclose(shown[0, 0], COLOURS[0], atol=1)
    assert_allclose(shown[1, 1], COLOURS[-1], atol=1)
    assert_allclose(shown[0, 1], COLOURS[2], atol=1)
    assert colours(np.ones((2, 2))).shape == (2, 2, 3)


def test_a_drag_is_a_spring_with_a_largest_force() -> None:
    near, far = np.array([0.01, 0.0, 0.0]), np.array([0.0, 50.0, 0.0])
    assert_allclose(spring_force(np.zeros(3), near, 40.0), [STIFFNESS * 40.0 * 0.01, 0.0, 0.0])
    most = MOST_WEIGHTS * 40.0 * STANDARD_GRAVITY
    assert_allclose(spring_force(np.zeros(3), far, 40.0), [0.0, most, 0.0])


@pytest.mark.parametrize("name", ["pointmass_box", "pointmass_maze"])
def test_the_map_of_a_point_mass_covers_its_world(name: str) -> None:
    task = make_task(name)
    states = task.map_states(5)
    assert states is not None
    left, right, low, high = task.map_extent
    assert_allclose(states[0, 0, :2], [left, low])
    assert_allclose(states[-1, 0, :2], [left, high])
    assert_allclose(states[0, -1, :2], [right, low])
    assert not states[..., 2:].any()
    assert task.value_features(task.observe(states)).shape == (5, 5, task.feature_count)


def test_a_humanoid_has_no_map() -> None:
    assert make_task("humanoid_getup").map_states(5) is None
