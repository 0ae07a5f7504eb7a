"""Controls of an arm's servos that lead its tool to a goal: a free path, followed by inverse dynamics."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.arm_kinematics import ArmKinematics, ToolPose
from polo_ros.tasks.arm_paths import JointPath, PathFinder
from polo_ros.tasks.model import without_forces

# share of the speed limits at which paths are followed, and the time to get from rest to full speed, in s
SHARE, RAMP = 0.75, 0.5
# so near to the end, in s at full speed, the servos are sent there
ARRIVING = 0.03
# so far from its path, in s at full speed, an arm gets another one
STRAYED = 0.3
# half the part of a path, in s at full speed, whose direction is that at a place
TANGENT = 0.02
# paths are kept for so many goals, and so many for each: a learner asks for references from states all over
GOALS, PATHS = 64, 32


class ArmReference:
    """Servo commands that move an arm along a free path to a goal.

    The path leads to a solution of the inverse kinematics. It is made when a goal is new, or when the arm is
    far from all paths to it, which takes some 0.1 s; else it is kept.

    Args:
      model: whose actuators are position servos, one for each joint.
      kinematics: of the arm.
      velocity: the joints' speed limits, (joints,), in the order of the actuators, in rad/s or m/s.
    """

    def __init__(self, model: mujoco.MjModel, kinematics: ArmKinematics, velocity: Array) -> None:
        self._kinematics, self._velocity = kinematics, velocity
        self._finder = PathFinder(kinematics.is_free, kinematics.low, kinematics.high, velocity)
        self._paths: dict[bytes, list[JointPath]] = {}
        self._model = without_forces(model)
        self._data = mujoco.MjData(model)
        joints = model.actuator_trnid[:, 0]
        self._qpos, self._dofs = model.jnt_qposadr[joints], model.jnt_dofadr[joints]

    def path(self, goal: ToolPose, angles: Array) -> JointPath:
        """The path to a goal on which joint positions (joints,) are."""
        key = np.concatenate([goal.position, goal.quaternion]).tobytes()
        kept = self._paths.pop(key, [])
        distances = [path.nearest(angles)[1] for path in kept]
        if kept and min(distances) <= STRAYED:
            path = kept.pop(int(np.argmin(distances)))
        else:
            path = self._finder.find(angles, self._kinematics.solutions(goal, angles))
        # those that were used last are at the ends
        self._paths[key] = [*kept, path][-PATHS:]
        if len(self._paths) > GOALS:
            del self._paths[next(iter(self._paths))]
        return path

    def controls(self, goal: ToolPose, angles: Array, speeds: Array, times: Array) -> Array:
        """Commands (n, nu) along the path to a goal, not limited to their ranges.

        Args:
          goal: of the tool.
          angles, speeds: of the joints now, (joints,), in rad and rad/s, or m and m/s.
          times: (n,), from now, in s.
        """
        path = self.path(goal, angles)
        place = path.nearest(angles)[0]
        ends = path.at(np.clip(np.array([place - TANGENT, place + TANGENT]), 0.0, path.duration))
        tangent = (ends[1] - ends[0]) / (2.0 * TANGENT)
        square = float(tangent @ tangent)
        # the speed along the path as a share of full speed
        pace = float(np.clip((speeds @ tangent) / square, 0.0, SHARE)) if square > 0.0 else 0.0
        steps = np.maximum(np.diff(times, append=times[-1] + 1e-3), 1e-3)
        places = follow(path.duration, place, pace, steps)
        wanted = path.at(places)
        moved = np.diff(wanted, axis=0) / steps[:, None]
        before = np.concatenate([pace * tangent[None], moved[:-1]])
        most = 2.0 * self._velocity / RAMP
        gained = np.clip((moved - before) / steps[:, None], -most, most)
        return self._commands(wanted[:-1], moved, gained)

    def _commands(self, angles: Array, speeds: Array, accelerations: Array) -> Array:
        """Commands (n, nu) with which servos give the efforts of a motion, each (n, joints).

        A servo's force is gain · command + bias[0] + bias[1] · length + bias[2] · speed, of a length and a
        speed that are the joint's times the gear.
        """
        model, data = self._model, self._data
        efforts = np.empty_like(angles)
        for index in range(len(angles)):
            data.qpos[self._qpos] = angles[index]
            data.qvel[self._dofs] = speeds[index]
            data.qacc[self._dofs] = accelerations[index]
            mujoco.mj_inverse(model, data)
            efforts[index] = data.qfrc_inverse[self._dofs]
        gear, bias = model.actuator_gear[:, 0], model.actuator_biasprm
        forces = efforts / gear
        if model.actuator_forcelimited.any():
            low, high = model.actuator_forcerange.T
            forces = np.where(model.actuator_forcelimited, np.clip(forces, low, high), forces)
        passive = bias[:, 0] + gear * (bias[:, 1] * angles + bias[:, 2] * speeds)
        commands: Array = (forces - passive) / model.actuator_gainprm[:, 0]
        return commands


def follow(duration: float, place: float, pace: float, steps: Array) -> Array:
    """Places on a path, (n + 1,), in s at full speed.

    The pace grows and falls by 1 in `RAMP`, so that the motion ends at rest.

    Args:
      duration: of the path at full speed, in s.
      place, pace: where the motion begins, and its speed as a share of full speed.
      steps: (n,), in s.
    """
    places = [place]
    for step in steps:
        left = duration - places[-1]
        pace = min(pace + step / RAMP, SHARE, np.sqrt(2.0 * left / RAMP))
        if left <= ARRIVING:
            pace = left / step
        places.append(min(places[-1] + step * pace, duration))
    return np.array(places)
