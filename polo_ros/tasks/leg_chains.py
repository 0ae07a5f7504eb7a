"""Inverse kinematics and statics of legs with six joints, for places and yaws of feet from a level base."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError

JOINTS = 6
# Newton steps from the home pose, their damping, for legs that are nearly straight, and the longest in rad
ITERATIONS, DAMPING, LONGEST_STEP = 4, 0.02, 0.6


class LegChains:
    """The legs of a floating base, each a chain of six hinges that ends in a foot.

    Places are those of the soles: the points on the floor below the origins of the feet's bodies, in the home
    pose. They are given from the base's origin, along its axes.

    Attributes:
      joints: (legs, 6), their numbers, from the base on.
      home: (legs, 6), their angles in the home pose, in rad.
      places: (legs, 3), of the soles in the home pose, in m.

    Args:
      model: has the base as a body with a free joint.
      qpos: (nq,), the home pose: the base is upright and heads along x, the feet are flat on the floor.
      feet: bodies of the feet.

    Raises:
      PoloError: no such body, or a leg does not have six hinges.
    """

    def __init__(self, model: mujoco.MjModel, qpos: Array, feet: Sequence[str]) -> None:
        data = mujoco.MjData(model)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        bodies = [_body(model, foot) for foot in feet]
        chains = [_chain(model, body, foot) for body, foot in zip(bodies, feet, strict=True)]
        # (legs, joints)
        self.joints = np.array([[joint for _, joint in chain if joint >= 0] for chain in chains])
        self.home = qpos[model.jnt_qposadr[self.joints]]
        self._low, self._high = np.moveaxis(model.jnt_range[self.joints], -1, 0)
        self._links = [_links(model, chain) for chain in chains]
        last = model.jnt_bodyid[self.joints[:, -1]]
        self._flat = data.xmat[last].reshape(-1, 3, 3)
        soles = np.array([[*data.xpos[body][:2], 0.0] for body in bodies]) - data.xanchor[self.joints[:, -1]]
        self._soles = np.einsum("lji,lj->li", self._flat, soles)
        self.places = self.forward(self.home)[0]

    def forward(self, angles: Array) -> tuple[Array, Array, Array, Array]:
        """Soles and joints in the base's frame for joint angles (..., legs, 6), in rad.

        Returns:
          Places of the soles (..., legs, 3) in m, orientations of the feet (..., legs, 3, 3), and the
          joints' positions and axes, each (..., legs, 6, 3).
        """
        shape = angles.shape[:-2]
        legs = len(self._links)
        places, turns = np.empty((*shape, legs, 3)), np.empty((*shape, legs, 3, 3))
        anchors = np.empty((*shape, legs, JOINTS, 3))
        axes = np.empty_like(anchors)
        for leg, links in enumerate(self._links):
            place, turn = np.zeros((*shape, 3)), np.broadcast_to(np.eye(3), (*shape, 3, 3))
            for index, (offset, fixed, axis, reference) in enumerate(links):
                place = place + turn @ offset
                turn = turn @ fixed
                anchors[..., leg, index, :], axes[..., leg, index, :] = place, turn @ axis
                turn = turn @ turn_about(axis, angles[..., leg, index] - reference)
            places[..., leg, :], turns[..., leg, :, :] = place + turn @ self._soles[leg], turn
        return places, turns, anchors, axes

    def angles(self, places: Array, yaws: Array) -> Array:
        """Joint angles (..., legs, 6), in rad, that put flat feet at places, within the joints' ranges.

        Args:
          places: (..., legs, 3), of the soles from the base, in m.
          yaws: (..., legs), of the feet from the base, in rad.
        """
        wanted = turn_about(np.array([0.0, 0.0, 1.0]), yaws) @ self._flat
        angles = np.broadcast_to(self.home, (*places.shape[:-1], JOINTS)).copy()
        for _ in range(ITERATIONS):
            place, turn, anchors, axes = self.forward(angles)
            missing = 0.5 * np.cross(turn, wanted, axisa=-2, axisb=-2).sum(axis=-2)
            errors = np.concatenate([places - place, missing], axis=-1)
            moved = np.cross(axes, place[..., None, :] - anchors)
            columns = np.concatenate([moved, axes], axis=-1)  # transposed: (..., joints, 6)
            square = columns @ np.swapaxes(columns, -1, -2) + DAMPING**2 * np.eye(JOINTS)
            step = np.linalg.solve(square, columns @ errors[..., None])[..., 0]
            angles += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        clipped: Array = np.clip(angles, self._low, self._high)
        return clipped

    def efforts(self, angles: Array, points: Array, forces: Array) -> Array:
        """Joint efforts (..., legs, 6), in N·m, that hold forces of the floor on the feet.

        Args:
          angles: (..., legs, 6), in rad.
          points: (..., legs, 2), where the forces act on the soles, from the base, in m.
          forces: (..., legs, 3), on the feet, along the base's axes, in N.
        """
        places, _, anchors, axes = self.forward(angles)
        at = np.concatenate([points, places[..., 2:]], axis=-1)
        arms = np.cross(axes, at[..., None, :] - anchors)
        efforts: Array = -(arms * forces[..., None, :]).sum(axis=-1)
        return efforts


def turn_about(axis: Array, angles: Array) -> Array:
    """The rotations by angles (...) in rad about a unit axis (3,): matrices (..., 3, 3), after Rodrigues."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sine, cosine = np.sin(angles)[..., None, None], np.cos(angles)[..., None, None]
    turns: Array = np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
    return turns


def _body(model: mujoco.MjModel, foot: str) -> int:
    index = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), foot)
    if index < 0:
        raise PoloError(f"the model has no body named '{foot}' for a foot")
    return int(index)


def _chain(model: mujoco.MjModel, body: int, foot: str) -> list[tuple[int, int]]:
    """Bodies from the base on to a foot, each with its joint, or -1 where it has none.

    Raises:
      PoloError: the bodies do not have six hinges in all.
    """
    chain: list[tuple[int, int]] = []
    while body and model.jnt_type[model.body_jntadr[body]] != mujoco.mjtJoint.mjJNT_FREE:
        count = int(model.body_jntnum[body])
        chain.insert(0, (body, int(model.body_jntadr[body]) if count == 1 else -1 - count))
        body = int(model.body_parentid[body])
    joints = [joint for _, joint in chain if joint != -1]
    hinges = all(joint >= 0 and model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE for joint in joints)
    if len(joints) != JOINTS or not hinges:
        raise PoloError(
            f"the leg of foot '{foot}' does not have six hinges, each of a body of its own; it has "
            f"{len(joints)} bodies with joints"
        )
    return chain


def _links(model: mujoco.MjModel, chain: list[tuple[int, int]]) -> list[tuple[Array, Array, Array, float]]:
    """For each joint: its place and its body's orientation from the last joint, axis and reference angle."""
    links: list[tuple[Array, Array, Array, float]] = []
    place, turn = np.zeros(3), np.eye(3)
    for body, joint in chain:
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, model.body_quat[body])
        place, turn = place + turn @ model.body_pos[body], turn @ matrix.reshape(3, 3)
        if joint >= 0:
            at, axis = model.jnt_pos[joint], model.jnt_axis[joint]
            links.append((place + turn @ at, turn, axis, float(model.qpos0[model.jnt_qposadr[joint]])))
            place, turn = -at, np.eye(3)
    return links
