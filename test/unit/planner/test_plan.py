"""The plan as a curve in time."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from polo_ros.planner import Plan
from polo_ros.planner.config import INTERPOLATIONS
from polo_ros.planner.plan import interpolation_matrix

KNOTS = np.array([[0.0, 1.0], [2.0, -1.0], [1.0, 0.5], [-3.0, 0.0], [0.5, 4.0]])


def plan(interpolation: str) -> Plan:
    return Plan(start=10.0, spacing=0.5, knots=KNOTS, interpolation=interpolation, sequence=7)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_curve_goes_through_its_knots(interpolation: str) -> None:
    times = 10.0 + 0.5 * np.arange(5, dtype=float)
    np.testing.assert_allclose(plan(interpolation).sample(times), KNOTS, atol=1e-12)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_ends_hold_outside_the_curve(interpolation: str) -> None:
    curve = plan(interpolation)
    np.testing.assert_allclose(curve.sample(np.array([-1e9, 0.0, 9.99])), [KNOTS[0]] * 3, atol=1e-12)
    np.testing.assert_allclose(curve.sample(np.array([12.01, 13.0, 1e9])), [KNOTS[-1]] * 3, atol=1e-12)


def test_zero_holds_each_knot_until_the_next() -> None:
    times = np.array([10.0, 10.49, 10.5, 10.99, 11.2])
    np.testing.assert_array_equal(plan("zero").sample(times), KNOTS[[0, 0, 1, 1, 2]])


def test_linear_runs_straight_between_knots() -> None:
    sampled = plan("linear").sample(np.array([10.25, 10.6]))
    np.testing.assert_allclose(sampled, [[1.0, 0.0], 0.8 * KNOTS[1] + 0.2 * KNOTS[2]], atol=1e-12)


def test_cubic_is_the_not_a_knot_spline() -> None:
    times = np.linspace(10.0, 12.0, 41)
    reference = CubicSpline(10.0 + 0.5 * np.arange(5), KNOTS, bc_type="not-a-knot")
    np.testing.assert_allclose(plan("cubic").sample(times), reference(times), atol=1e-12)


@pytest.mark.parametrize(("count", "degree"), [(2, 1), (3, 2), (4, 3), (6, 3)])
def test_cubic_reproduces_polynomials_of_the_degree_that_its_knots_allow(count: int, degree: int) -> None:
    positions = np.linspace(0, count - 1, 17)
    matrix = interpolation_matrix(positions, count, "cubic")
    np.testing.assert_allclose(matrix @ np.arange(count) ** degree, positions**degree, atol=1e-9)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_constant_knots_make_a_constant_curve(interpolation: str, count: int) -> None:
    matrix = interpolation_matrix(np.linspace(-2, count + 2, 50), count, interpolation)
    assert matrix.shape == (50, count)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_curve_is_linear_in_its_knots(interpolation: str) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.standard_normal((2, 5, 3))
    times = rng.uniform(-1, 4, 30)
    mixed = Plan(0.0, 0.7, 2 * first - 3 * second, interpolation).sample(times)
    parts = [Plan(0.0, 0.7, knots, interpolation).sample(times) for knots in (first, second)]
    np.testing.assert_allclose(mixed, 2 * parts[0] - 3 * parts[1], atol=1e-12)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_shapes_follow_the_times(interpolation: str) -> None:
    curve = plan(interpolation)
    assert curve.sample(10.3).shape == (2,)
    assert curve.sample(np.array([10.3])).shape == (1, 2)
    assert curve.sample(np.full((3, 4), 10.3)).shape == (3, 4, 2)
    assert curve.sample(np.array([])).shape == (0, 2)
    np.testing.assert_array_equal(curve.sample(np.full((3, 4), 10.3))[2, 1], curve.sample(10.3))


def test_a_held_knot_lasts_one_spacing_and_a_curve_ends_at_its_last() -> None:
    assert plan("zero").end == 12.5
    assert plan("linear").end == plan("cubic").end == 12.0


@pytest.mark.parametrize("start", [0.0, 12345.678, 1.76e9 + 0.123])
def test_rounding_in_the_times_does_not_miss_a_held_knot(start: float) -> None:
    """At a control rate that is no binary fraction, up to seconds since 1970."""
    knots = np.arange(64.0)[:, None]
    steps = np.arange(64, dtype=float)
    sampled = Plan(start, 0.008, knots, "zero").sample(start + steps * 0.008)
    np.testing.assert_array_equal(sampled[:, 0], steps)


def test_a_single_knot_is_a_constant() -> None:
    curve = Plan(0.0, 1.0, np.array([[3.0]]), "zero")
    np.testing.assert_array_equal(curve.sample(np.array([-1.0, 0.0, 5.0])), [[3.0]] * 3)
