"""Assembling the robot's flat state from parts that arrive one by one."""

from dataclasses import dataclass

import mujoco

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
    """A whole flat state (state_size,) and the stamp of its oldest part, in ns."""

    state: Array
    stamp: int


class StateAssembler:
    """Writes each part of a state to its place in one flat state and says which parts are missing.

    Args:
      task: whose model's state is assembled.
      joints: names and addresses.
      lockstep: whether all parts must carry the same stamp; otherwise the newest of each is taken. The
        goal is one of these parts in lockstep only: a robot may have none but the model's own.
    """

    def __init__(self, task: Task, joints: JointMapping, lockstep: bool) -> None:
        model = task.model
        self._task = task
        self._lockstep = lockstep
        self._state = task.state_of(mujoco.MjData(model))
        # a flat state is qpos, qvel, act, mocap positions, mocap quaternions (`STATE_SPEC`)
        self._qvel = slice(model.nq, model.nq + model.nv)
        self._joint_qpos = joints.qpos
        self._joint_qvel = model.nq + joints.qvel
        self._bodies = {object_topic(body.name): body for body in joints.objects}
        if joints.base:
            self._bodies = {ODOM: joints.base, **self._bodies}
        goal = task.state_size - task.goal_size
        self._goal_position = slice(goal, goal + 3)
        self._goal_quaternion = slice(goal + 3 * model.nmocap, goal + 3 * model.nmocap + 4)
        parts = [JOINTS, *self._bodies, *([GOAL] if lockstep and model.nmocap else [])]
        self._stamps: dict[str, int | None] = dict.fromkeys(parts)

    def odometry_topics(self) -> list[str]:
        """The odometry that a state of this model needs, derived from its free joints."""
        return list(self._bodies)

    def missing(self) -> list[str]:
        """The topics without a message so far."""
        return [topic for topic, stamp in self._stamps.items() if stamp is None]

    def add_joints(self, positions: Array, velocities: Array, stamp: int) -> None:
        """Take joint positions and velocities in the order of `JointMapping.joint_names`."""
        self._state[self._joint_qpos] = positions
        self._state[self._joint_qvel] = velocities
        self._stamps[JOINTS] = stamp

    def add_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> None:
        """Take the pose (7,) and velocity (6,) of the base or an object, as MuJoCo keeps them."""
        body = self._bodies[topic]
        first_velocity = self._qvel.start + body.qvel
        self._state[body.qpos : body.qpos + 7] = qpos
        self._state[first_velocity : first_velocity + 6] = qvel
        self._stamps[topic] = stamp

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> None:
        """Move the goal: the model's first mocap body.

        Raises:
          PoloError: the model has no mocap body.
        """
        if not self._task.model.nmocap:
            raise PoloError(f"task {self._task.name} has no goal to set: its model has no mocap body")
        self._state[self._goal_position] = position
        self._state[self._goal_quaternion] = quaternion
        if GOAL in self._stamps:
            self._stamps[GOAL] = stamp

    @property
    def stamp(self) -> int | None:
        """The stamp of the oldest part, in ns; None while the state is not whole.

        A state is whole when no part is missing and, in lockstep, all are of one moment.
        """
        stamps = [stamp for stamp in self._stamps.values() if stamp is not None]
        if len(stamps) < len(self._stamps) or (self._lockstep and len(set(stamps)) > 1):
            return None
        return min(stamps)

    def snapshot(self) -> Snapshot | None:
        """A copy of the state; None while it is not whole."""
        stamp = self.stamp
        return None if stamp is None else Snapshot(self._state.copy(), stamp)

    def velocities(self) -> Array:
        """All generalised velocities as received last, (nv,)."""
        return self._state[self._qvel].copy()
