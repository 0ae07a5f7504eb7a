"""Readings of a view for rewards and value features: base, feet, velocity goal.

Each function reads the sensors that its counterpart in `polo_ros.tasks.building` adds, takes views of any
leading shape (...) and returns arrays of that shape.
"""

from collections.abc import Sequence

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.view import View

# the mocap body whose position is (velocity ahead, velocity to the left, yaw rate), and its sensor
VELOCITY_GOAL = "velocity_goal"


def position(view: View, body: str) -> Array:
    """The position of a body's frame in the world, (..., 3), in m."""
    return view.sensor(f"{body}_position")


def orientation(view: View, body: str) -> Array:
    """The orientation of a body's frame in the world, a quaternion wxyz, (..., 4)."""
    return view.sensor(f"{body}_orientation")


def linear_velocity(view: View, body: str) -> Array:
    """The velocity of the origin of a body's frame, in that frame, (..., 3), in m/s."""
    return view.sensor(f"{body}_linear_velocity")


def angular_velocity(view: View, body: str) -> Array:
    """The angular velocity of a body in its own frame, (..., 3), in rad/s."""
    return view.sensor(f"{body}_angular_velocity")


def projected_gravity(view: View, body: str) -> Array:
    """The direction of gravity in a body's frame, (..., 3): (0, 0, -1) where the body is upright."""
    w, x, y, z = np.moveaxis(orientation(view, body), -1, 0)
    # minus the third row of the rotation matrix
    return np.stack(
        [2.0 * (w * y - x * z), -2.0 * (y * z + w * x), 2.0 * (x * x + y * y) - 1.0],
        axis=-1,
    )


def heading(view: View, body: str) -> Array:
    """The yaw of a body's x axis in the world, (...), -π to π, in rad."""
    w, x, y, z = np.moveaxis(orientation(view, body), -1, 0)
    angle: Array = np.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))
    return angle


def along_heading(east: Array, north: Array, yaw: Array) -> tuple[Array, Array]:
    """Horizontal vectors of the world, given by their parts along x and y, as parts ahead and to the left.

    Args:
      east, north: (...), in any unit.
      yaw: the heading, in rad, of a shape that broadcasts with theirs.
    """
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return cosine * east + sine * north, cosine * north - sine * east


def heading_velocity(view: View, body: str) -> Array:
    """The velocity of a body as `cmd_vel` commands it, (..., 3): ahead and left in m/s, yaw rate in rad/s.

    The axes are those of a frame that has the body's heading and is level. The yaw rate is that about the
    vertical.
    """
    quat, linear = orientation(view, body), linear_velocity(view, body)
    w, x, y, z = np.moveaxis(quat, -1, 0)
    gravity = projected_gravity(view, body)
    yaw_rate = -(gravity * angular_velocity(view, body)).sum(axis=-1)
    # the first two rows of the rotation matrix turn the velocity into the world's plane
    east = (
        (1.0 - 2.0 * (y * y + z * z)) * linear[..., 0]
        + 2.0 * (x * y - w * z) * linear[..., 1]
        + 2.0 * (x * z + w * y) * linear[..., 2]
    )
    north = (
        2.0 * (x * y + w * z) * linear[..., 0]
        + (1.0 - 2.0 * (x * x + z * z)) * linear[..., 1]
        + 2.0 * (y * z - w * x) * linear[..., 2]
    )
    ahead, left = along_heading(east, north, heading(view, body))
    return np.stack([ahead, left, yaw_rate], axis=-1)


def velocity_goal(view: View) -> Array:
    """The wanted velocity, (..., 3): ahead and left in m/s, yaw rate in rad/s, in the base's level frame."""
    return view.sensor(VELOCITY_GOAL)


def joint_positions(view: View, joints: Sequence[str]) -> Array:
    """The positions of joints, (..., joints), in rad or m."""
    return np.concatenate([view.sensor(f"{joint}_position") for joint in joints], axis=-1)


def joint_velocities(view: View, joints: Sequence[str]) -> Array:
    """The velocities of joints, (..., joints), in rad/s or m/s."""
    return np.concatenate([view.sensor(f"{joint}_velocity") for joint in joints], axis=-1)


def foot_positions(view: View, feet: Sequence[str]) -> Array:
    """The positions of the lowest points of feet in the world, (..., feet, 3), in m.

    A foot that is a body or a site has one point, its origin; that of a sphere is below its centre.
    """
    return np.stack([view.sensor(f"{foot}_foot_position") for foot in feet], axis=-2)


def foot_heights(view: View, feet: Sequence[str]) -> Array:
    """The height of the lowest point of each foot above the world's origin, (..., feet), in m."""
    return np.stack([view.sensor(f"{foot}_foot_position")[..., 2] for foot in feet], axis=-1)


def foot_velocities(view: View, feet: Sequence[str]) -> Array:
    """The velocities of feet in the world, (..., feet, 3), in m/s."""
    return np.stack([view.sensor(f"{foot}_foot_velocity") for foot in feet], axis=-2)


def foot_contacts(view: View, feet: Sequence[str]) -> Mask:
    """Whether each foot touches anything, (..., feet)."""
    return np.stack([view.sensor(f"{foot}_foot_contact")[..., 0] > 0.0 for foot in feet], axis=-1)


def foot_forces(view: View, feet: Sequence[str]) -> Array:
    """The force on each foot in the world, (..., feet, 3), in N."""
    return np.stack([-view.sensor(f"{foot}_foot_contact")[..., 1:4] for foot in feet], axis=-2)
