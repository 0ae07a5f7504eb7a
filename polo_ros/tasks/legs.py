"""Joint angles that put feet where a gait wants them: tabulated inverse kinematics of three-joint legs."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError

# points of the table along x, y and z
POINTS = 7
# Newton steps to each point from its neighbour, and their damping, for legs that are nearly straight, in m
ITERATIONS, DAMPING = 3, 1e-3
# the longest Newton step of a joint, in rad
LONGEST_STEP = 0.3


def foot_point(model: mujoco.MjModel, data: mujoco.MjData, foot: str) -> tuple[int, Array]:
    """The body that carries a foot, and the foot's lowest point in the world, (3,), in m.

    That of a sphere is below its centre; a foot of another kind has one point, its origin.

    Raises:
      PoloError: the model has no geom, site or body of that name.
    """
    index = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_GEOM), foot)
    if index >= 0:
        sphere = model.geom_type[index] == mujoco.mjtGeom.mjGEOM_SPHERE
        below = np.array([0.0, 0.0, model.geom_size[index, 0] if sphere else 0.0])
        return int(model.geom_bodyid[index]), data.geom_xpos[index] - below
    index = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_SITE), foot)
    if index >= 0:
        return int(model.site_bodyid[index]), data.site_xpos[index].copy()
    index = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), foot)
    if index >= 0:
        return index, data.xpos[index].copy()
    raise PoloError(f"the model has no geom, site or body named '{foot}' for a foot")


class Legs:
    """Controls of position servos that put feet at places relative to the trunk.

    The places are offsets from those of a home pose, along the axes of the trunk. They are kept within
    `reach`: the table holds no others.

    Args:
      model: a floating base with legs of three hinges each, driven by position servos.
      qpos: (nq,), the home pose; its base is upright and heads along x.
      feet: names of geoms, sites or bodies.
      low, high: (3,), the range of offsets that is tabulated, in m.

    Raises:
      PoloError: no such foot, or a leg does not have three joints.
    """

    def __init__(
        self, model: mujoco.MjModel, qpos: Array, feet: Sequence[str], low: Array, high: Array
    ) -> None:
        self._model, self._feet, self._low, self._high = model, feet, low, high
        data = mujoco.MjData(model)
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        self._joints = [self._leg(foot_point(model, data, foot)[0], foot) for foot in feet]
        self._axes = tuple(np.linspace(low, high, POINTS).T)
        # (feet, points, points, points, 3)
        self._angles = self._solve(data)

    def _leg(self, body: int, foot: str) -> list[int]:
        """The joints between a foot's body and the floating base, from the trunk on."""
        model = self._model
        joints: list[int] = []
        while body and model.body_jntadr[body] != 0:
            first, count = model.body_jntadr[body], model.body_jntnum[body]
            joints[:0] = range(int(first), int(first + count))
            body = model.body_parentid[body]
        if len(joints) != 3:
            raise PoloError(f"the leg of foot '{foot}' has {len(joints)} joints; a leg here has three")
        return joints

    def _solve(self, data: mujoco.MjData) -> Array:
        """The joint angles of every leg for each point of the table."""
        model, home = self._model, data.qpos.copy()
        angles = np.empty((len(self._feet), POINTS, POINTS, POINTS, 3))
        jacobian = np.empty((3, model.nv))
        places = [foot_point(model, data, foot)[1] for foot in self._feet]
        # from the point that is closest to home outwards, so that each begins at a solved neighbour
        index = np.array(np.meshgrid(*[range(POINTS)] * 3, indexing="ij")).reshape(3, -1).T
        middle = np.array([np.abs(axis).argmin() for axis in self._axes])
        order = index[np.argsort(np.abs(index - middle).sum(axis=1), kind="stable")]
        for point in order:
            offset = np.array([axis[i] for axis, i in zip(self._axes, point, strict=True)])
            data.qpos[:] = home
            neighbour = point - np.sign(point - middle) * (np.arange(3) == np.argmax(np.abs(point - middle)))
            for leg, joints in enumerate(self._joints):
                if (neighbour != point).any():
                    data.qpos[model.jnt_qposadr[joints]] = angles[leg][tuple(neighbour)]
            for _ in range(ITERATIONS):
                mujoco.mj_kinematics(model, data)
                mujoco.mj_comPos(model, data)
                for leg, (foot, joints) in enumerate(zip(self._feet, self._joints, strict=True)):
                    body, at = foot_point(model, data, foot)
                    mujoco.mj_jac(model, data, jacobian, None, at, body)
                    columns = jacobian[:, model.jnt_dofadr[joints]]
                    square = columns @ columns.T + DAMPING**2 * np.eye(3)
                    step = columns.T @ np.linalg.solve(square, places[leg] + offset - at)
                    data.qpos[model.jnt_qposadr[joints]] += np.clip(step, -LONGEST_STEP, LONGEST_STEP)
            for leg, joints in enumerate(self._joints):
                angles[leg][tuple(point)] = data.qpos[model.jnt_qposadr[joints]]
        return angles

    def controls(self, offsets: Array, otherwise: Array) -> Array:
        """The controls that put each foot at an offset from its home place.

        Args:
          offsets: (..., feet, 3), along the trunk's axes, in m.
          otherwise: (nu,), controls of actuators that move no leg.

        Returns:
          (..., nu).
        """
        from scipy.interpolate import RegularGridInterpolator  # a second to import, which only gaits need

        model = self._model
        controls = np.broadcast_to(otherwise, (*offsets.shape[:-2], model.nu)).copy()
        inside = np.clip(offsets, self._low, self._high)
        for leg, joints in enumerate(self._joints):
            angles = RegularGridInterpolator(self._axes, self._angles[leg])(inside[..., leg, :])
            for place, joint in enumerate(joints):
                for actuator in np.flatnonzero(model.actuator_trnid[:, 0] == joint):
                    controls[..., actuator] = model.actuator_gear[actuator, 0] * angles[..., place]
        return controls
