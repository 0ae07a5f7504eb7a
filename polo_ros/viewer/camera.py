"""The camera of pictures: the model's own, or one that follows a robot with a floating base."""

import itertools
from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.state import set_state

# geoms of higher groups (collision shapes, by convention) are not shown
VISIBLE_GROUPS = 3
# objects and goals are kept in the frame up to this many robot sizes beside the robot
OBJECT_REACH = 2.0
# part of the frame's width and height that may be filled
FILLED = 0.92
# width over height of a frame from the model's own camera
FIXED_ASPECT = 4 / 3
# least horizontal part of the unit direction of a camera that a user may turn
STEEPEST = 0.05
# least distance in extents of the model
EXTENTS_AWAY = 1.5
_CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))  # of a cube, (8, 3)


def cameras(model: mujoco.MjModel, states: Array, aspect: float) -> list[mujoco.MjvCamera]:
    """One camera for each state, all with one direction and one scale.

    - A robot with a floating base is followed horizontally from the direction of the model's first
      camera, from so far that it is seen whole in every state. Objects and goals are in the frame as
      long as they are no farther from the robot than twice its own size.
    - Any other model is seen from its first camera.
    - A model without a camera is seen from MuJoCo's default direction, from so far that everything that
      moves is in the frame.

    Args:
      model: the world.
      states: flat states, (n, state_size).
      aspect: width over height of a frame.
    """
    if model.ncam and floating_base(model) is None:
        camera = mujoco.MjvCamera()
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        return [camera] * len(states)
    azimuth, elevation = _direction(model)
    axes = _axes(azimuth, elevation)
    seen, followed = _seen(model, states, axes)
    low, high = seen[..., :2].min(axis=(0, 1)), seen[..., :2].max(axis=(0, 1))
    middle = (low + high) / 2
    tangents = FILLED * np.tan(np.radians(model.vis.global_.fovy) / 2) * np.array([aspect, 1.0])
    distance = (np.abs(seen[..., :2] - middle) / tangents - seen[..., 2:]).max()
    found = []
    for point in followed + middle @ axes[:2]:
        camera = mujoco.MjvCamera()
        camera.azimuth, camera.elevation, camera.distance, camera.lookat = azimuth, elevation, distance, point
        found.append(camera)
    return found


def natural_aspect(model: mujoco.MjModel, states: Array) -> float:
    """Width over height of what the cameras of these states keep in their frames."""
    if model.ncam and floating_base(model) is None:
        return FIXED_ASPECT
    seen, _ = _seen(model, states, _axes(*_direction(model)))
    width, height = np.ptp(seen[..., :2], axis=(0, 1))
    return float(width / height)


def floating_base(model: mujoco.MjModel) -> int | None:
    """The first body with a free joint whose tree has an actuated joint; None where there is none."""
    joint = mujoco.mjtTrn.mjTRN_JOINT
    driven = model.jnt_bodyid[model.actuator_trnid[model.actuator_trntype == joint, 0]]
    roots = set(model.body_rootid[driven].tolist())
    free = model.jnt_bodyid[model.jnt_type == mujoco.mjtJoint.mjJNT_FREE].tolist()
    return next((body for body in free if body in roots), None)


def _seen(model: mujoco.MjModel, states: Array, axes: Array) -> tuple[Array, Array]:
    """What must be in the frame.

    Returns:
      Corners of the moving geoms to the right, above and ahead of the point that the camera follows,
      (n, m, 3), in m; and that point in the world, (n, 3): the robot's centre of mass on the ground, or the
      origin where nothing is followed.
    """
    base = floating_base(model)
    data = mujoco.MjData(model)
    geoms = _moving_geoms(model)
    if not geoms.any():  # show the model's surroundings instead
        around = model.stat.center + model.stat.extent / 2 * _CORNERS
        return np.tile(around @ axes.T, (len(states), 1, 1)), np.zeros((len(states), 3))
    boxes = model.geom_aabb[geoms, None, :3] + _CORNERS * model.geom_aabb[geoms, None, 3:]
    points = np.empty((len(states), *boxes.shape))
    followed = np.zeros((len(states), 3))
    for row, state in enumerate(states):
        set_state(model, data, state)
        mujoco.mj_forward(model, data)
        turns = data.geom_xmat[geoms].reshape(-1, 3, 3)
        points[row] = boxes @ turns.transpose(0, 2, 1) + data.geom_xpos[geoms, None]
        if base is not None:
            followed[row, :2] = data.subtree_com[base, :2]
    seen: Array = (points - followed[:, None, None]) @ axes.T
    if base is not None:
        robot = seen[:, model.body_rootid[model.geom_bodyid[geoms]] == base, :, :2]
        low, high = robot.min(axis=(0, 1, 2)), robot.max(axis=(0, 1, 2))
        reach = OBJECT_REACH * (high - low).max()
        seen[..., :2] = seen[..., :2].clip(low - reach, high + reach)
    return seen.reshape(len(states), -1, 3), followed


def _moving_geoms(model: mujoco.MjModel) -> Mask:
    """Which geoms are visible and move or mark a goal, which is a mocap body; (ngeom,)."""
    body = model.geom_bodyid
    moves: Mask = (model.body_weldid[body] != 0) | (model.body_mocapid[model.body_rootid[body]] >= 0)
    moves &= model.geom_group < VISIBLE_GROUPS
    return moves


def _direction(model: mujoco.MjModel) -> tuple[float, float]:
    """Azimuth and elevation of the model's first camera without its roll, or MuJoCo's own, in degrees."""
    if not model.ncam:
        return float(model.vis.global_.azimuth), float(model.vis.global_.elevation)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    _, up, backward = data.cam_xmat[0].reshape(3, 3).T
    # a camera that looks straight down has no horizontal direction but that of its upper edge
    heading = -backward if np.hypot(*backward[:2]) > 1e-6 else up * np.sign(backward[2])
    azimuth = np.degrees(np.arctan2(heading[1], heading[0]))
    return float(azimuth), float(np.degrees(np.arcsin(np.clip(-backward[2], -1.0, 1.0))))


def _axes(azimuth: float, elevation: float) -> Array:
    """Right, up and forward (3, 3) of a camera, by rows, from angles in degrees."""
    turn, tilt = np.radians(azimuth), np.radians(elevation)
    forward = np.array([np.cos(tilt) * np.cos(turn), np.cos(tilt) * np.sin(turn), np.sin(tilt)])
    right = np.array([np.sin(turn), -np.cos(turn), 0.0])
    return np.stack([right, np.cross(right, forward), forward])


@dataclass(frozen=True)
class Viewpoint:
    """Where a camera stands (3,) and looks at (3,), in m, and its vertical field of view in rad."""

    position: Array
    look_at: Array
    field_of_view: float


def viewpoint(model: mujoco.MjModel, state: Array, aspect: float) -> Viewpoint:
    """The first view of a page: that of `cameras`, as a camera that can be turned around a point.

    Args:
      model: the world.
      state: a flat state, (state_size,).
      aspect: width over height of the picture.
    """
    (camera,) = cameras(model, state[None], aspect)
    field_of_view = float(np.radians(model.vis.global_.fovy))
    if camera.type == mujoco.mjtCamera.mjCAMERA_FIXED:
        data = mujoco.MjData(model)
        set_state(model, data, state)
        mujoco.mj_forward(model, data)
        position = data.cam_xpos[0].copy()
        forward = -data.cam_xmat[0].reshape(3, 3)[:, 2]
        distance = max(float(forward @ (model.stat.center - position)), float(model.stat.extent) / 2)
    else:
        forward = _axes(camera.azimuth, camera.elevation)[2]
        # there is room for the robot in any posture
        distance = max(camera.distance, EXTENTS_AWAY * float(model.stat.extent))
        position = camera.lookat - distance * forward
    if np.hypot(*forward[:2]) < STEEPEST:  # a camera that is turned around the vertical cannot look along it
        forward = np.array([0.0, STEEPEST, np.sign(forward[2]) * np.sqrt(1 - STEEPEST**2)])
        look_at = position + distance * np.array([0.0, 0.0, np.sign(forward[2])])
        return Viewpoint(look_at - distance * forward, look_at, field_of_view)
    return Viewpoint(position, position + distance * forward, field_of_view)
