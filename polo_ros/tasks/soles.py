"""Flat soles of feet: their extent, and four spheres in place of all that a foot touches the floor with."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.building import require

# a sphere at each corner of a sole, in m
RADIUS = 0.01


def sole_extents(spec: mujoco.MjSpec, feet: Sequence[str]) -> Array:
    """Lowest and highest corner of each foot's geoms that touch, (feet, 2, 3), in m, in its body's frame.

    Raises:
      PoloError: the model has no such body, or nothing of it touches.
    """
    for foot in feet:
        require("body", foot, (one.name for one in spec.bodies))
    model = spec.copy().compile()
    return np.array([_extent(model, foot) for foot in feet])


def _extent(model: mujoco.MjModel, foot: str) -> Array:
    body = model.body(foot)
    corners = []
    for geom in range(body.geomadr[0], body.geomadr[0] + body.geomnum[0]):
        if not (model.geom_contype[geom] or model.geom_conaffinity[geom]):
            continue
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, model.geom_quat[geom])
        middle, half = np.split(model.geom_aabb[geom], 2)
        turned = matrix.reshape(3, 3)
        centre, reach = model.geom_pos[geom] + turned @ middle, np.abs(turned) @ half
        corners += [centre - reach, centre + reach]
    if not corners:
        raise PoloError(f"nothing of foot '{foot}' touches: its geoms have contype and conaffinity 0")
    return np.array([np.min(corners, axis=0), np.max(corners, axis=0)])


def touch_with_soles(spec: mujoco.MjSpec, feet: Sequence[str], extents: Array) -> None:
    """Let the robot touch the world with four spheres under each foot alone, at the corners of its sole.

    Args:
      spec: of the model.
      feet: bodies.
      extents: see `sole_extents`.
    """
    for body in spec.bodies:
        for geom in body.geoms if body.name != "world" else ():
            geom.contype = geom.conaffinity = 0
    for foot, (low, high) in zip(feet, extents, strict=True):
        for x in (low[0] + RADIUS, high[0] - RADIUS):
            for y in (low[1] + RADIUS, high[1] - RADIUS):
                spec.body(foot).add_geom(
                    type=mujoco.mjtGeom.mjGEOM_SPHERE,
                    size=[RADIUS, 0.0, 0.0],
                    pos=[x, y, low[2] + RADIUS],
                    mass=0.0,
                    contype=1,
                    conaffinity=1,
                )
