"""Quaternion arithmetic against SciPy's rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from polo_ros.arrays import Array
from polo_ros.tasks.rotations import (
    angle_between,
    conjugate,
    multiply,
    random_rotation,
    rotation_matrix,
    two_axes,
)


@pytest.fixture
def quaternions() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return tuple(np.array([random_rotation(rng) for _ in range(12)]).reshape(3, 4, 4) for _ in range(2))  # type: ignore[return-value]


def rotation(quat: Array) -> Rotation:
    return Rotation.from_quat(quat.reshape(-1, 4), scalar_first=True)


def test_products_turn_as_scipys(quaternions: tuple[Array, Array]) -> None:
    first, second = quaternions
    product = multiply(first, conjugate(second))
    assert product.shape == first.shape
    expected = rotation(first) * rotation(second).inv()
    np.testing.assert_allclose(rotation(product).as_matrix(), expected.as_matrix(), atol=1e-14)


def test_angles_and_axes_are_scipys(quaternions: tuple[Array, Array]) -> None:
    first, second = quaternions
    between = (rotation(second).inv() * rotation(first)).magnitude().reshape(3, 4)
    for sign in (1.0, -1.0):  # q and -q are the same orientation
        np.testing.assert_allclose(angle_between(sign * first, second), between, atol=1e-14)
        columns = rotation(first).as_matrix()[..., :2]
        axes = two_axes(sign * first).reshape(-1, 2, 3)
        np.testing.assert_allclose(axes, np.moveaxis(columns, -1, -2), atol=1e-14)


def test_matrices_are_scipys(quaternions: tuple[Array, Array]) -> None:
    for quat in quaternions[0].reshape(-1, 4):
        np.testing.assert_allclose(rotation_matrix(quat), rotation(quat).as_matrix()[0], atol=1e-14)


def test_random_rotations_are_seeded_and_uniform() -> None:
    rng = np.random.default_rng(1)
    drawn = np.array([random_rotation(rng) for _ in range(4000)])
    np.testing.assert_array_equal(drawn[0], random_rotation(np.random.default_rng(1)))
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, rtol=1e-12)
    # the mean angle of a uniform rotation is π/2 + 2/π = 2.207 rad, its standard deviation 0.65 rad
    angles = angle_between(drawn, np.array([1.0, 0.0, 0.0, 0.0]))
    assert angles.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=4 * 0.65 / 4000**0.5)
