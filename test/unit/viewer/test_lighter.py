"""Surfaces with fewer triangles."""

import numpy as np
import trimesh
from numpy.testing import assert_allclose, assert_array_equal

from polo_ros.viewer.lighter import lighter

MOST = 6000


def test_a_large_surface_keeps_its_shape_with_fewer_triangles() -> None:
    ball = trimesh.creation.icosphere(subdivisions=6)
    vertices, faces = lighter(ball.vertices, ball.faces, MOST)
    assert MOST / 2 < len(faces) <= MOST < len(ball.faces)
    assert_allclose(np.linalg.norm(vertices, axis=1), 1.0, atol=0.02)
    assert_allclose(trimesh.Trimesh(vertices, faces, process=False).area, ball.area, rtol=0.02)


def test_a_small_surface_stays_as_it_is() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices, faces = lighter(ball.vertices, ball.faces, MOST)
    assert_array_equal(vertices, ball.vertices)
    assert_array_equal(faces, ball.faces)


def test_the_coarsest_cells_are_an_end() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4)
    _, faces = lighter(ball.vertices, ball.faces, 1)
    assert 1 < len(faces) < len(ball.faces)
