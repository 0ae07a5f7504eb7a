"""Paths through free joint positions, in a plane with a wall."""

from itertools import pairwise

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.tasks.arm_paths import SPACING, JointPath, PathFinder

VELOCITY = np.array([1.0, 2.0])
START, END = np.array([-1.0, 0.0]), np.array([1.0, 0.0])


def off_the_wall(angles: Array, share: float) -> bool:
    """Whether a point of the plane keeps a share of 0.1 from a wall that is open above."""
    return not (abs(angles[0]) < 0.1 + 0.1 * share and angles[1] < 0.4 + 0.1 * share)


def finder(is_free=off_the_wall) -> PathFinder:  # type: ignore[no-untyped-def]
    return PathFinder(is_free, np.array([-2.0, -2.0]), np.array([2.0, 2.0]), VELOCITY)


def test_a_path_leads_over_the_wall() -> None:
    path = finder().find(START, [END])
    assert all(off_the_wall(point, 0.7) for point in path.points)
    np.testing.assert_allclose(path.points[[0, -1]], [START, END])
    # no joint is faster than it may be, and the way is not much longer than it must be
    assert (np.abs(np.diff(path.points, axis=0)) <= VELOCITY * SPACING + 1e-9).all()
    assert path.duration < 3.0
    # corners are rounded
    assert max(np.abs(b - a).max() for a, b in pairwise(np.diff(path.points, axis=0))) < SPACING


def test_the_first_end_that_a_straight_way_leads_to_is_taken() -> None:
    free = np.array([-1.0, -1.0])
    path = finder().find(START, [END, free])
    np.testing.assert_allclose(path.points[-1], free)
    np.testing.assert_allclose(np.diff(path.points, 2, axis=0), 0.0, atol=1e-12)


def test_without_a_free_way_the_straight_one_is_given() -> None:
    path = finder(lambda angles, _: bool(abs(angles[0]) > 0.2)).find(START, [END])
    np.testing.assert_allclose(path.points[[0, -1]], [START, END])


def test_places_on_a_path_are_times_at_full_speed() -> None:
    path = JointPath(np.linspace(START, END, 201), VELOCITY)
    assert path.duration == 2.0
    np.testing.assert_allclose(path.at(np.array([-1.0, 0.505, 2.0, 9.0])), [START, [-0.495, 0.0], END, END])
    assert path.nearest(np.array([0.5, 0.2])) == (pytest.approx(1.5), pytest.approx(0.1))
    still = JointPath(START[None], VELOCITY)
    np.testing.assert_array_equal(still.at(np.array([0.0, 1.0])), [START, START])
    assert still.nearest(START) == (0.0, 0.0)
