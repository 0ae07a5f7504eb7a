"""Controls of position servos that make predicted steps: inverse kinematics, led by what servos lose."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.features import along_heading
from polo_ros.tasks.leg_chains import LegChains
from polo_ros.tasks.model import STANDARD_GRAVITY, without_forces
from polo_ros.tasks.stepping import Steps


class StepServos:
    """Commands that put the soles where steps want them, under a level base.

    A servo gives kp · (command - angle) - kd · speed. The command leads the wanted angle by effort / kp, for
    the effort that carries the robot, and by kd · speed / kp.

    Args:
      model: a floating base with legs of six hinges each, driven by position servos.
      home: (nq,), see `LegChains`.
      base, feet: names of bodies.

    Attributes:
      legs: the kinematics.
      centre: of mass from the base in the home pose, (3,), in m.

    Raises:
      PoloError: see `LegChains`.
    """

    def __init__(self, model: mujoco.MjModel, home: Array, base: str, feet: Sequence[str]) -> None:
        self.legs = LegChains(model, home, feet)
        self._home = home
        self._floating = without_forces(model)
        data = mujoco.MjData(model)
        data.qpos[:] = home
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        body = model.body(base).id
        self.centre: Array = data.subtree_com[body] - home[:3]
        self._weight = float(model.body_subtreemass[body]) * STANDARD_GRAVITY
        # the servos of the legs, with the leg and the joint in it that each moves
        driven = model.actuator_trnid[:, 0, None, None] == self.legs.joints
        self._servos, self._legs, self._places = np.nonzero(driven)
        self._kp, self._kd = model.actuator_gainprm[self._servos, 0], -model.actuator_biasprm[self._servos, 2]

    def controls(self, steps: Steps, times: Array, height: float, otherwise: Array) -> Array:
        """Controls (P, n, nu), not limited to their ranges.

        Args:
          steps: of P states at n times.
          times: (n,), in s.
          height: of the base above the soles that stand, in m.
          otherwise: (nu,), controls of actuators that move no leg.
        """
        legs = self.legs
        base = steps.centre - self.centre[:2]

        def turned(vectors: Array) -> Array:
            """Vectors (P, n, 2, 2) along the axes of the turning base."""
            return np.stack(
                along_heading(vectors[..., 0], vectors[..., 1], steps.heading[..., None]), axis=-1
            )

        places = np.empty_like(steps.feet)
        places[..., :2] = turned(steps.feet[..., :2] - base[..., None, :])
        places[..., 2] = steps.feet[..., 2] - height
        angles = legs.angles(places, steps.yaws - steps.heading[..., None])
        # the force of an inverted pendulum points from the centre of pressure to that of mass
        pressure = (steps.load[..., None] * steps.pressure).sum(axis=-2)
        lean = (steps.centre - pressure) / (height + self.centre[2])
        lean = turned(np.stack([lean, lean], axis=-2))
        load = self._weight * steps.load[..., None]
        forces = np.concatenate([load * lean, load], axis=-1)
        efforts = self._carrying(angles, STANDARD_GRAVITY * lean[..., 0, :])
        efforts += legs.efforts(angles, turned(steps.pressure - base[..., None, :]), forces)
        speeds = np.diff(angles, axis=1) / np.maximum(np.diff(times), 1e-3)[:, None, None]
        speeds = np.concatenate([speeds, speeds[:, -1:]], axis=1)
        controls = np.broadcast_to(otherwise, (*angles.shape[:2], len(otherwise))).copy()
        moved = (..., self._legs, self._places)
        lead = (efforts[moved] + self._kd * speeds[moved]) / self._kp
        controls[..., self._servos] = angles[moved] + lead
        return controls

    def _carrying(self, angles: Array, pushed: Array) -> Array:
        """Efforts of the legs (P, n, legs, 6), in N·m, that carry all bodies, without the floor's forces.

        Args:
          angles: of the legs' joints, (P, n, legs, 6), in rad.
          pushed: horizontal acceleration of the base, (P, n, 2), in m/s².
        """
        model, joints = self._floating, self.legs.joints
        data = mujoco.MjData(model)
        data.qpos[:] = self._home
        efforts = np.empty_like(angles)
        for place in np.ndindex(angles.shape[:2]):
            data.qpos[model.jnt_qposadr[joints]] = angles[place]
            data.qacc[:2] = pushed[place]
            mujoco.mj_inverse(model, data)
            efforts[place] = data.qfrc_inverse[model.jnt_dofadr[joints]]
        return efforts
