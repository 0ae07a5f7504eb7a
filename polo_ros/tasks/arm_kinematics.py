"""Kinematics of an arm on a fixed base: poses of its tool, collisions, inverse kinematics."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.arm_model import OBSTACLE
from polo_ros.tasks.rotations import conjugate, multiply

# configurations are free where they keep these distances, in m
OBSTACLE_DISTANCE, WORLD_DISTANCE, SELF_DISTANCE = 0.04, 0.01, 0.002
# of the inverse kinematics: largest errors in m and rad, iterations, damping, largest step in rad or m, and
# how many m an error of 1 rad counts
PRECISION = (5e-4, 2e-3)
ITERATIONS, DAMPING, LARGEST_STEP, ANGLE_LENGTH = 40, 0.02, 0.4, 0.3
# the most starts, how many are enough once there is a solution, and how far apart solutions are, in rad or m
STARTS, ENOUGH, APART = 40, 12, 0.1


@dataclass(frozen=True)
class ToolPose:
    """A position (3,) in m and a unit quaternion wxyz (4,) in the world."""

    position: Array
    quaternion: Array


class ArmKinematics:
    """The kinematics of some joints of a model; all others keep their reference position.

    Args:
      model: of the task.
      joints: names of hinge and slide joints with ranges.
      tool: name of a site or a body.
      home: (joints,), a pose whose self-collisions are taken for faults of the model, and ignored.

    Attributes:
      low, high: the joints' ranges, (joints,), in rad or m.
    """

    def __init__(self, model: mujoco.MjModel, joints: Sequence[str], tool: str, home: Array) -> None:
        self._model = copy.deepcopy(model)
        self._data = mujoco.MjData(model)
        numbers = [model.joint(name).id for name in joints]
        self._qpos, self._dofs = model.jnt_qposadr[numbers], model.jnt_dofadr[numbers]
        self.low, self.high = model.jnt_range[numbers].T.copy()
        self._site = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_SITE), tool)
        self._body = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), tool)
        self._home = home
        bodies = model.geom_bodyid
        distance = np.where(bodies == 0, WORLD_DISTANCE, SELF_DISTANCE)
        obstacle = mujoco.mj_name2id(model, int(mujoco.mjtObj.mjOBJ_BODY), OBSTACLE)
        distance[bodies == obstacle] = OBSTACLE_DISTANCE
        # contacts are found within the sum of a pair's margin and gap
        self._model.geom_margin[:], self._model.geom_gap[:] = 0.0, distance
        self._distance = distance
        fixed = (bodies == 0) | (bodies == obstacle)
        self._ignored: set[tuple[int, int]] = set()
        self._ignored = {pair for pair in self._touching(home, 1.0) if not fixed[list(pair)].any()}

    def pose(self, angles: Array) -> ToolPose:
        """Where the tool is at joint positions (joints,)."""
        self._place(angles)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self._frame()[1].ravel())
        return ToolPose(self._frame()[0].copy(), quaternion)

    def is_free(self, angles: Array, share: float = 1.0) -> bool:
        """Whether joint positions (joints,) keep a share of the distances from obstacle, world and itself."""
        return not self._touching(angles, share)

    def solutions(self, goal: ToolPose, start: Array) -> list[Array]:
        """Free joint positions (joints,) that put the tool at a goal, those nearest to a start first.

        Damped least squares (Wampler 1986) from the start, the home pose and random positions. Where none
        succeeds, the positions that come nearest to the goal, free ones if there are any.
        """
        rng = np.random.default_rng(0)
        found: list[Array] = []
        nearest: tuple[tuple[bool, float], Array] | None = None
        for index in range(STARTS):
            begin = (start, self._home)[index] if index < 2 else rng.uniform(self.low, self.high)
            angles, error, precise = self._approach(goal, begin)
            free = self.is_free(angles)
            if nearest is None or (not free, error) < nearest[0]:
                nearest = (not free, error), angles
            new = all(np.abs(angles - other).max() > APART for other in found)
            if precise and free and new:
                found.append(angles)
            if found and index >= ENOUGH:
                break
        assert nearest is not None
        return sorted(found, key=lambda one: float(np.abs(one - start).max())) or [nearest[1]]

    def _approach(self, goal: ToolPose, angles: Array) -> tuple[Array, float, bool]:
        """Where damped least squares lead, the error left there, in m, and whether it is small enough."""
        jacobian = np.empty((6, self._model.nv))
        weights = np.repeat([1.0, ANGLE_LENGTH], 3)
        for _ in range(ITERATIONS):
            self._place(angles)
            error = self._error(goal)
            if is_precise(error):
                break
            mujoco.mj_comPos(self._model, self._data)
            self._jacobian(jacobian)
            columns = weights[:, None] * jacobian[:, self._dofs]
            step = columns.T @ np.linalg.solve(columns @ columns.T + DAMPING**2 * np.eye(6), weights * error)
            step *= min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-9))
            angles = np.clip(angles + step, self.low, self.high)
        self._place(angles)
        error = self._error(goal)
        return angles, float(np.linalg.norm(weights * error)), is_precise(error)

    def _error(self, goal: ToolPose) -> Array:
        """From the tool to a goal, (6,): the way in m, and the rotation vector in the world in rad."""
        position, matrix = self._frame()
        quaternion, turn = np.empty(4), np.empty(3)
        mujoco.mju_mat2Quat(quaternion, matrix.ravel())
        mujoco.mju_quat2Vel(turn, multiply(goal.quaternion, conjugate(quaternion)), 1.0)
        return np.concatenate([goal.position - position, turn])

    def _place(self, angles: Array) -> None:
        self._data.qpos[self._qpos] = angles
        mujoco.mj_kinematics(self._model, self._data)

    def _frame(self) -> tuple[Array, Array]:
        if self._site >= 0:
            return self._data.site_xpos[self._site], self._data.site_xmat[self._site]
        return self._data.xpos[self._body], self._data.xmat[self._body]

    def _jacobian(self, jacobian: Array) -> None:
        if self._site >= 0:
            mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._site)
        else:
            mujoco.mj_jacBody(self._model, self._data, jacobian[:3], jacobian[3:], self._body)

    def _touching(self, angles: Array, share: float) -> set[tuple[int, int]]:
        """The pairs of geoms that are nearer than they may be, but for those that are ignored."""
        self._place(angles)
        mujoco.mj_collision(self._model, self._data)
        if not self._data.ncon:
            return set()
        pairs = self._data.contact.geom
        near = self._data.contact.dist < share * self._distance[pairs].max(axis=1)
        return {(int(a), int(b)) for a, b in pairs[near]} - self._ignored


def is_precise(error: Array) -> bool:
    """Whether an error (6,) of a pose, in m and rad, is small enough for a solution."""
    return bool(np.linalg.norm(error[:3]) < PRECISION[0] and np.linalg.norm(error[3:]) < PRECISION[1])
