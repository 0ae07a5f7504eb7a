"""What a picture is made of: a model in one state at a time, its camera, and points on its geoms."""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.task import STATE_SPEC

SHAPE = mujoco.mjtGeom
OBJECT = mujoco.mjtObj
_ANGLES = np.linspace(0, 2 * np.pi, 64, endpoint=False)
# 64 directions in a plane, (64, 3)
RING: Array = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), 0 * _ANGLES], axis=1)
_TURNS = np.linspace(-np.pi / 2, np.pi / 2, 33)[:, None, None]
_ENDS = np.array([[[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]]])
_BALL = (RING * np.cos(_TURNS) + _ENDS[0] * np.sin(_TURNS)).reshape(-1, 3)
_CORNERS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
# from this alpha on a geom hides what is behind it, as MuJoCo has it
OPAQUE = 0.995
# points on the hulls of the shapes that are scaled by their size
_UNIT = {
    SHAPE.mjGEOM_SPHERE: _BALL,
    SHAPE.mjGEOM_ELLIPSOID: _BALL,
    SHAPE.mjGEOM_CYLINDER: (RING + _ENDS).reshape(-1, 3),
    SHAPE.mjGEOM_BOX: _CORNERS,
}


@dataclass(frozen=True)
class Lens:
    """A camera: its place (3,), its axes right, up, forward (3, 3), its near plane in m.

    A picture's plane is 1 m ahead, so that lengths in it are tangents; metres where `orthographic`.
    `half_height` is half the height of what the camera itself shows there.
    """

    origin: Array
    axes: Array
    near: float
    orthographic: bool
    half_height: float

    def project(self, points: Array) -> Array:
        """Right and up in the picture and depth (..., 3) of points (..., 3) in the world."""
        seen: Array = (points - self.origin) @ self.axes.T
        seen[..., :2] /= 1.0 if self.orthographic else np.maximum(seen[..., 2:], self.near)
        return seen


class Stage:
    """The model in one state at a time, and what its first camera sees of it.

    A model without a camera is seen from MuJoCo's default direction, from so far that whatever moves
    in any of the `states` is seen.

    Args:
      model: the world.
      states: flat states of `STATE_SPEC`, (n, state_size).
    """

    def __init__(self, model: mujoco.MjModel, states: Array) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, 10_000)
        self.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False  # glare hides the feet
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        if model.ncam:
            self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        else:
            mujoco.mjv_defaultFreeCamera(model, self._camera)
            clouds = [self.moving_points() for state in states if self.take(state)]
            low, high = np.min(np.concatenate(clouds), 0), np.max(np.concatenate(clouds), 0)
            self._camera.lookat = (low + high) / 2
            self._camera.distance = 2 * np.linalg.norm(high - low)

    def take(self, state: Array) -> Lens:
        """Take a state (state_size,) and tell where the camera is then."""
        mujoco.mj_setState(self._model, self._data, state, STATE_SPEC)
        mujoco.mj_forward(self._model, self._data)
        what = (self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(self._model, self._data, *what, self.scene)
        for geom in self.scene.geoms[: self.scene.ngeom]:
            if geom.rgba[3] < OPAQUE:
                geom.category = mujoco.mjtCatBit.mjCAT_DECOR  # what is looked through casts no shadow
        eyes = self.scene.camera  # a scene always has two of them, for stereo
        up, forward = np.array(eyes[0].up, float), np.array(eyes[0].forward, float)
        axes = np.stack([np.cross(forward, up), up, forward])
        origin = np.mean([eye.pos for eye in eyes], axis=0, dtype=float)
        near, orthographic = eyes[0].frustum_near, bool(eyes[0].orthographic)
        half_height = (eyes[0].frustum_top - eyes[0].frustum_bottom) / 2
        return Lens(origin, axes, near, orthographic, half_height / (1.0 if orthographic else near))

    def geoms(self) -> list[tuple[Any, Array]]:
        """The visible geoms but planes, each with points (n, 3) on its hull."""
        pairs = [(geom, self._hull(geom)) for geom in self.scene.geoms[: self.scene.ngeom]]
        return [(geom, points) for geom, points in pairs if len(points) and geom.rgba[3] > 0]

    def _hull(self, geom: Any) -> Array:
        local: Array = _UNIT.get(geom.type, np.empty((0, 3))) * geom.size
        if geom.type == SHAPE.mjGEOM_CAPSULE:
            local = (_BALL * geom.size[0] + _ENDS * geom.size[2]).reshape(-1, 3)
        elif geom.type == SHAPE.mjGEOM_MESH:
            mesh = self._model.mesh(geom.dataid // 2)  # a scene counts each mesh and its hull
            local = self._model.mesh_vert[mesh.vertadr[0] :][: mesh.vertnum[0]]
        placed: Array = local @ np.array(geom.mat, float).T + geom.pos
        return placed

    def is_goal(self, geom: Any) -> bool:
        """Whether a geom of the scene shows a geom or site of a goal, which is a mocap body."""
        if geom.objtype == OBJECT.mjOBJ_GEOM:
            body = self._model.geom_bodyid[geom.objid]
        elif geom.objtype == OBJECT.mjOBJ_SITE:
            body = self._model.site_bodyid[geom.objid]
        else:
            return False
        return bool(self._model.body_mocapid[self._model.body_rootid[body]] >= 0)

    def moves(self, geom: Any) -> bool:
        """Whether a geom belongs to a body that can move or to a goal; a robot's sites do not count."""
        if self.is_goal(geom):
            return True
        if geom.objtype != OBJECT.mjOBJ_GEOM:
            return False
        return bool(self._model.body_weldid[self._model.geom_bodyid[geom.objid]])

    def moving_points(self) -> Array:
        """Points (n, 3) on the geoms that can move, or around the model where none can."""
        around = self._model.stat.center + _CORNERS * self._model.stat.extent / 2
        return np.concatenate([hull for g, hull in self.geoms() if self.moves(g)] or [around])

    def standing_points(self) -> Array:
        """Points (n, 3) on the geoms that cannot move; none on planes, which have no end."""
        hulls = [hull for geom, hull in self.geoms() if not self.moves(geom)]
        return np.concatenate(hulls or [np.empty((0, 3))])
