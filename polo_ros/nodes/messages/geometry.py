"""The geometry of a model as markers, so that RViz shows a robot without a URDF."""

from typing import Any

import mujoco
import numpy as np
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.arrays import Array
from polo_ros.nodes.messages.stamps import to_stamp
from polo_ros.viewer.camera import VISIBLE_GROUPS

SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}"))
    for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX", "MESH")
)
SHAPES = {SPHERE: Marker.SPHERE, ELLIPSOID: Marker.SPHERE, CYLINDER: Marker.CYLINDER, BOX: Marker.CUBE}


def pack_geometry(model: mujoco.MjModel, data: mujoco.MjData, stamp: int) -> MarkerArray:
    """Every visible geom but planes, in the frame odom; a mesh is shown as the box around it.

    Args:
      model: of the robot and its world.
      data: its state, kinematics included.
      stamp: in ns.
    """
    found: list[Any] = []
    for geom in np.flatnonzero((model.geom_group < VISIBLE_GROUPS) & (model.geom_rgba[:, 3] > 0)).tolist():
        found += _markers(model, data, geom)
    for index, marker in enumerate(found):
        marker.header.frame_id, marker.header.stamp = "odom", to_stamp(stamp)
        marker.ns, marker.id, marker.action = "robot", index, Marker.ADD
    return MarkerArray(markers=found)


def _markers(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> list[Any]:
    """The markers of one geom: a capsule is a cylinder with a sphere at each end."""
    kind, size = int(model.geom_type[geom]), np.array(model.geom_size[geom])
    position, axes = np.array(data.geom_xpos[geom]), data.geom_xmat[geom].reshape(3, 3)
    if kind == CAPSULE:
        radius, half = size[0], size[1]
        ends = [position + sign * half * axes[:, 2] for sign in (-1.0, 1.0)]
        parts = [(Marker.CYLINDER, position, np.array([radius, radius, half]))]
        parts += [(Marker.SPHERE, end, np.full(3, radius)) for end in ends]
    elif kind == MESH:
        middle, half_sizes = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        parts = [(Marker.CUBE, position + axes @ middle, np.array(half_sizes))]
    elif kind in SHAPES:
        half_sizes = {SPHERE: np.full(3, size[0]), CYLINDER: np.array([size[0], size[0], size[1]])}.get(
            kind, size
        )
        parts = [(SHAPES[kind], position, half_sizes)]
    else:
        return []
    return [_marker(shape, at, 2.0 * half, axes, _colour(model, geom)) for shape, at, half in parts]


def _marker(shape: int, position: Array, scale: Array, axes: Array, colour: Array) -> Marker:
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, axes.ravel())
    marker = Marker(type=shape)
    pose, (w, x, y, z) = marker.pose, map(float, quaternion)
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    marker.scale.x, marker.scale.y, marker.scale.z = map(float, scale)
    red, green, blue, alpha = map(float, colour)
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=alpha)
    return marker


def _colour(model: mujoco.MjModel, geom: int) -> Array:
    """Of the geom's material, where it has one."""
    material = int(model.geom_matid[geom])
    return np.array(model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom])
