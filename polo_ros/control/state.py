"""Assembling the robot's state from topics; knows no ROS beyond the stamps' nanoseconds."""

from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task

JOINTS = "joint_states"
ODOM = "odom"
GOAL = "goal"


def object_topic(body: str) -> str:
    """The odometry topic of a free object."""
    return f"objects/{body}/odom"


@dataclass(frozen=True)
class Snapshot:
    """A whole state and the stamp of its oldest part, in ns."""

    state: Array
    stamp: int


class StateAssembler:
    """Collects the parts of a state and says which are missing.

    Args:
      task: whose model's state is assembled.
      robot: names and addresses.
      lockstep: whether all parts must carry the same stamp; otherwise the newest of each is taken. The
        goal is one of these parts in lockstep only: a robot may have none but the model's own.
    """

    def __init__(self, task: Task, robot: JointMapping, lockstep: bool) -> None:
        self._task = task
        self._robot = robot
        self._lockstep = lockstep
        self._data = mujoco.MjData(task.model)
        goal = [GOAL] if lockstep and task.model.nmocap else []
        self._stamps: dict[str, int | None] = dict.fromkeys([JOINTS, *self.odometry_topics(), *goal])

    def odometry_topics(self) -> list[str]:
        """The odometry that a state of this model needs, derived from its free joints."""
        base = [ODOM] if self._robot.base else []
        return [*base, *(object_topic(body.name) for body in self._robot.objects)]

    def missing(self) -> list[str]:
        """The topics that have not been heard."""
        return [topic for topic, stamp in self._stamps.items() if stamp is None]

    def clear(self) -> None:
        """Forget all parts, as after a jump of time."""
        self._stamps = dict.fromkeys(self._stamps)

    def set_joints(self, positions: Array, velocities: Array, stamp: int) -> None:
        """Take joint positions and velocities in the order of `JointMapping.joint_names`."""
        self._data.qpos[self._robot.qpos] = positions
        self._data.qvel[self._robot.qvel] = velocities
        self._stamps[JOINTS] = stamp

    def set_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> None:
        """Take the pose (7,) and velocity (6,) of the base or an object, as MuJoCo keeps them."""
        bodies = {object_topic(body.name): body for body in self._robot.objects}
        body = self._robot.base if topic == ODOM else bodies[topic]
        assert body is not None
        self._data.qpos[body.qpos : body.qpos + 7] = qpos
        self._data.qvel[body.qvel : body.qvel + 6] = qvel
        self._stamps[topic] = stamp

    def set_goal(self, position: Array, quaternion: Array, stamp: int) -> None:
        """Move the goal: the model's first mocap body.

        Raises:
          PoloError: the model has no mocap body.
        """
        if not self._task.model.nmocap:
            raise PoloError(f"task {self._task.name} has no goal to set: its model has no mocap body")
        self._data.mocap_pos[0] = position
        self._data.mocap_quat[0] = quaternion
        if GOAL in self._stamps:
            self._stamps[GOAL] = stamp

    def snapshot(self) -> Snapshot | None:
        """The state, or None while a part is missing or, in lockstep, of another moment."""
        stamps = [stamp for stamp in self._stamps.values() if stamp is not None]
        if len(stamps) < len(self._stamps) or (self._lockstep and len(set(stamps)) > 1):
            return None
        return Snapshot(self._task.state_of(self._data), min(stamps))

    def joint_velocities(self) -> Array:
        """All generalised velocities as last heard, (nv,)."""
        return np.array(self._data.qvel)
