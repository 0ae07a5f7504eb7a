"""The geometry of a model as markers, so that RViz shows a robot without a URDF."""

from typing import Any

import mujoco
import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.nodes.messages.serialized import STAMP, place_of, unusual
from polo_ros.nodes.messages.stamps import to_stamp
from polo_ros.viewer.camera import VISIBLE_GROUPS

SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH = (
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}"))
    for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX", "MESH")
)
# numbers of a pose in a message: position, and quaternion xyzw
POSE = 7
# stamps that occur nowhere else in a message
UNUSUAL_S = 1_234_567_890
SHAPES = {SPHERE: Marker.SPHERE, ELLIPSOID: Marker.SPHERE, CYLINDER: Marker.CYLINDER, BOX: Marker.CUBE}


class RobotMarkers:
    """Every visible geom but planes, in the frame odom; a mesh is shown as the box around it.

    The message is serialised once, which takes milliseconds for a robot of many geoms; afterwards only its
    numbers are written.

    Args:
      model: of the robot and its world.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        seen = (model.geom_group < VISIBLE_GROUPS) & (model.geom_rgba[:, 3] > 0)
        parts = [(geom, *part) for geom in np.flatnonzero(seen).tolist() for part in _parts(model, geom)]
        self._geoms = [geom for geom, *_ in parts]
        self._offsets = np.array([offset for _, _, offset, _ in parts]).reshape(-1, 3)  # in the geoms' frames
        message, poses = MarkerArray(), unusual(POSE * len(parts), 0).reshape(-1, POSE)
        stamps = [UNUSUAL_S + index for index in range(len(parts))]
        for index, (geom, shape, _, half) in enumerate(parts):
            marker: Any = Marker(ns="robot", id=index, type=shape, action=Marker.ADD)
            marker.header.frame_id, marker.header.stamp = "odom", to_stamp(stamps[index] * NANOSECONDS)
            at, turn = marker.pose.position, marker.pose.orientation
            at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w = poses[index].tolist()
            marker.scale.x, marker.scale.y, marker.scale.z = map(float, 2.0 * half)
            red, green, blue, alpha = map(float, _colour(model, geom))
            marker.color = ColorRGBA(r=red, g=green, b=blue, a=alpha)
            message.markers.append(marker)
        content = serialize_message(message)
        self._content = np.frombuffer(content, np.uint8).copy()
        self._poses = _bytes_from(
            [place_of(content, pose.tobytes())[0] for pose in poses], POSE * poses.itemsize
        )
        written = [STAMP.pack(stamp, 0) for stamp in stamps]
        self._stamps = _bytes_from([place_of(content, each)[0] for each in written], STAMP.size)

    def moved(self, data: mujoco.MjData, stamp: int) -> bytes:
        """The serialised message for a state, kinematics included, at a time in ns."""
        turns = data.geom_xmat[self._geoms]
        poses = np.empty((len(turns), POSE))
        poses[:, :3] = data.geom_xpos[self._geoms]
        poses[:, :3] += (turns.reshape(-1, 3, 3) @ self._offsets[..., None])[..., 0]
        quaternion = np.empty(4)
        for pose, turn in zip(poses, turns, strict=True):
            mujoco.mju_mat2Quat(quaternion, turn)
            pose[3:] = quaternion[[1, 2, 3, 0]]
        self._content[self._poses] = poses.view(np.uint8)
        time = STAMP.pack(stamp // NANOSECONDS, stamp % NANOSECONDS)
        self._content[self._stamps] = np.frombuffer(time, np.uint8)
        return self._content.tobytes()


def _bytes_from(places: list[int], count: int) -> Array:
    """The indices of some bytes from each of n places on, (n, count)."""
    return np.array(places, int).reshape(-1, 1) + np.arange(count)


def _parts(model: mujoco.MjModel, geom: int) -> list[tuple[int, Array, Array]]:
    """The shape, place in the geom's frame and half sizes of each of its markers.

    A capsule is a cylinder with a sphere at each end.
    """
    kind, size, middle = int(model.geom_type[geom]), np.array(model.geom_size[geom]), np.zeros(3)
    if kind == CAPSULE:
        radius, half = size[0], size[1]
        ends = [np.array([0.0, 0.0, sign * half]) for sign in (-1.0, 1.0)]
        cylinder = (int(Marker.CYLINDER), middle, np.array([radius, radius, half]))
        return [cylinder, *((int(Marker.SPHERE), end, np.full(3, radius)) for end in ends)]
    if kind == MESH:
        return [(int(Marker.CUBE), np.array(model.geom_aabb[geom, :3]), np.array(model.geom_aabb[geom, 3:]))]
    if kind in SHAPES:
        halves = {SPHERE: np.full(3, size[0]), CYLINDER: np.array([size[0], size[0], size[1]])}
        return [(SHAPES[kind], middle, halves.get(kind, size))]
    return []


def _colour(model: mujoco.MjModel, geom: int) -> Array:
    """Of the geom's material, where it has one."""
    material = int(model.geom_matid[geom])
    return np.array(model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom])
