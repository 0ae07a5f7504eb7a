"""The goals of a model: mocap bodies, a part of the state that physics does not change."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.features import VELOCITY_GOAL

POSE, VELOCITY = "pose", "velocity"
ASKED_FOR = {
    POSE: "a pose goal, which the topic goal gives",
    VELOCITY: "a velocity goal, which the topic cmd_vel gives",
}


class Goals:
    """Which goals a model has, and where they lie in a flat state.

    A velocity goal is a mocap body named `velocity_goal`, as `add_velocity_goal` makes it: its position holds
    the velocities ahead and to the left in m/s and the yaw rate in rad/s. The first other mocap body is the
    pose goal.

    Args:
      model: of a task.
      task: the task's name, for errors.

    Attributes:
      size: the number of entries that all mocap bodies take at the end of a flat state.
      kinds: "pose", "velocity", both or none of them.
    """

    def __init__(self, model: mujoco.MjModel, task: str) -> None:
        self._task = task
        self._count = int(model.nmocap)
        self._index: dict[str, int] = {}
        for body in np.flatnonzero(model.body_mocapid >= 0):
            kind = VELOCITY if model.body(int(body)).name == VELOCITY_GOAL else POSE
            self._index.setdefault(kind, int(model.body_mocapid[body]))
        self.size = 7 * self._count
        self.kinds = tuple(kind for kind in (POSE, VELOCITY) if kind in self._index)

    def index(self, kind: str) -> int:
        """The number of the mocap body of a goal.

        Raises:
          PoloError: the task has no goal of that kind.
        """
        if kind not in self._index:
            if not self.kinds:
                raise PoloError(f"task {self._task} has no goal to set: its model has no mocap body")
            own = " and ".join(ASKED_FOR[one] for one in self.kinds)
            raise PoloError(f"task {self._task} has no {kind} goal to set; it has {own}")
        return self._index[kind]

    def set_pose(self, data: mujoco.MjData, position: Array, quaternion: Array) -> None:
        """Put the pose goal at a position (3,) in m and a quaternion (4,) wxyz.

        Raises:
          PoloError: the task has no pose goal.
        """
        index = self.index(POSE)
        data.mocap_pos[index], data.mocap_quat[index] = position, quaternion

    def set_velocity(self, data: mujoco.MjData, velocity: Array) -> None:
        """Set the velocity goal (3,): ahead and left in m/s, yaw rate in rad/s.

        Raises:
          PoloError: the task has no velocity goal.
        """
        data.mocap_pos[self.index(VELOCITY)] = velocity

    def position_entries(self, kind: str) -> slice:
        """The entries of a goal's position, or of its velocity, in the last `size` entries of a flat state.

        Raises:
          PoloError: the task has no goal of that kind.
        """
        start = 3 * self.index(kind)
        return slice(start, start + 3)

    def quaternion_entries(self) -> slice:
        """The entries of the pose goal's quaternion in the last `size` entries of a flat state.

        Raises:
          PoloError: the task has no pose goal.
        """
        start = 3 * self._count + 4 * self.index(POSE)
        return slice(start, start + 4)
