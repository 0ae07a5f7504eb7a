"""Assembling the robot's flat state from parts that arrive one by one."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.base_rotation import BaseRotation
from polo_ros.control.differentiation import Differentiator
from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.control.parts import Part, as_slice, fill_in
from polo_ros.control.samples import KEPT_SPAN_NS, KEPT_SPAN_S, Sample
from polo_ros.control.velocity_goal import VelocityCommand
from polo_ros.errors import PoloError
from polo_ros.tasks.goals import POSE, VELOCITY
from polo_ros.tasks.state import clock_entry
from polo_ros.tasks.task import Task

Addresses = NDArray[np.int_]
JOINTS = "joint_states"
ODOM = "odom"
IMU = "imu"
GOAL = "goal"
VELOCITY_GOAL = "velocity_goal"
CMD_VEL = "cmd_vel"


def object_topic(body: str) -> str:
    """The odometry topic of a free object."""
    return f"objects/{body}/odom"


def odometry_bodies(joints: JointMapping) -> dict[str, FreeBody]:
    """The free bodies of a model by their odometry's topic, the robot's base first."""
    base = {ODOM: joints.base} if joints.base else {}
    return base | {object_topic(body.name): body for body in joints.objects}


@dataclass(frozen=True)
class Snapshot:
    """A whole flat state and what has been measured since.

    Attributes:
      state: (state_size,), of one moment.
      stamp: the moment, in ns.
      ahead: by how many control periods the newest imu and joints are ahead of that moment; 0 without imu.
      later: what they say of the state then, (state_size,), NaN where they say nothing; None where `ahead`
        is 0.
    """

    state: Array
    stamp: int
    ahead: int = 0
    later: Array | None = None

    @property
    def progress(self) -> tuple[int, int]:
        """The identity of a snapshot, (stamp, ahead): it is new where this differs."""
        return self.stamp, self.ahead


class StateAssembler:
    """Combines the parts of a state at one moment and says which parts are missing.

    The moment is the newest one that every part has reached, so that a part which arrives late, such as
    odometry behind joint states, does not mix two moments into a state that the robot was never in. A part
    without a sample of that moment is interpolated between the two samples around it.

    Args:
      task: whose model's state is assembled.
      joints: names and addresses.
      lockstep: whether the newest samples of all parts must carry the same stamp. Goals are among these
        parts in lockstep only: a robot may have none but the model's own.
      imu: whether the base's rotation comes from an imu, which is then a part, too; its heading is turned
        into the odometry's, since an imu's own has an arbitrary zero and drifts.

    Raises:
      PoloError: an imu is wanted for a robot without a floating base.
    """

    def __init__(self, task: Task, joints: JointMapping, lockstep: bool, imu: bool = False) -> None:
        model = task.model
        self._task = task
        self._model = model
        self._lockstep = lockstep
        self._period = round(task.timestep * NANOSECONDS)
        # the parts of a state that do not come with every message; see `polo_ros.tasks.state`
        self._rest = task.state_of(mujoco.MjData(model))
        self._goal = task.goal_of(self._rest)
        self._clock = clock_entry(model)
        self._parts = {JOINTS: Part(as_slice(joints.qpos), as_slice(joints.qvel))}
        for topic, body in odometry_bodies(joints).items():
            self._parts[topic] = Part(slice(body.qpos, body.qpos + 7), slice(body.qvel, body.qvel + 6))
        self._differentiator = Differentiator()
        self._imu: BaseRotation | None = None
        # the newest stamp of every part that a state needs, by topic
        self._stamps: dict[str, int | None] = dict.fromkeys(self._parts)
        if imu:
            if joints.base is None:
                raise PoloError(f"use_imu needs a floating base; task {task.name}'s model has none")
            self._imu, self._stamps[IMU] = BaseRotation(model, joints.base), None
        self._velocity_command: VelocityCommand | None = None
        if lockstep:
            topics = {POSE: GOAL, VELOCITY: VELOCITY_GOAL}
            self._stamps |= {topics[kind]: None for kind in task.goals.kinds}

    def odometry_topics(self) -> list[str]:
        """The odometry that a state of this model needs, derived from its free joints."""
        return [topic for topic in self._parts if topic != JOINTS]

    def missing(self) -> list[str]:
        """The topics without a message so far."""
        return [topic for topic, stamp in self._stamps.items() if stamp is None]

    def apart(self) -> str:
        """A sentence about parts whose times or orientations do not fit together; empty if all fit."""
        stamps = {topic: stamp for topic, stamp in self._stamps.items() if stamp is not None}
        tilted = self._imu.tilted() if self._imu is not None else ""
        if tilted:
            return tilted
        if self._lockstep or not stamps:
            return ""
        first, last = min(stamps, key=stamps.__getitem__), max(stamps, key=stamps.__getitem__)
        behind = stamps[last] - stamps[first]
        if behind <= KEPT_SPAN_NS:
            return ""
        return f"{first} is {behind / NANOSECONDS:.3f} s behind {last}, more than {KEPT_SPAN_S:g} s"

    def add_joints(self, positions: Array, velocities: Array, stamp: int) -> None:
        """Take joint positions and velocities in the order of `JointMapping.joint_names`.

        A velocity that is NaN is found from successive positions, so that the first of them make no state.
        """
        sample = Sample(positions, velocities, stamp)
        known = self._differentiator.complete(sample) if np.isnan(velocities).any() else [sample]
        for each in known:
            self._add(JOINTS, each)

    def add_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> None:
        """Take the pose (7,) and velocity (6,) of the base or an object, as MuJoCo keeps them."""
        self._add(topic, Sample(qpos, qvel, stamp))
        if topic == ODOM and self._imu is not None:
            self._imu.compare(self._parts[ODOM].samples)

    def add_imu(self, quaternion: Array, velocity: Array, stamp: int) -> None:
        """Take the base's orientation (4,) wxyz and angular velocity (3,) in its own frame, in rad/s."""
        assert self._imu is not None
        self._stamps[IMU] = self._imu.samples.add(Sample(quaternion, velocity, stamp))

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> None:
        """Move the pose goal.

        Raises:
          PoloError: the task has no pose goal.
        """
        goals = self._task.goals
        self._goal[goals.position_entries(POSE)] = position
        self._goal[goals.quaternion_entries()] = quaternion
        if GOAL in self._stamps:
            self._stamps[GOAL] = stamp

    def add_velocity_goal(self, velocity: Array, stamp: int) -> None:
        """Set the velocity goal (3,): ahead and left in m/s, yaw rate in rad/s.

        Raises:
          PoloError: the task has no velocity goal.
        """
        self._goal[self._task.goals.position_entries(VELOCITY)] = velocity
        if VELOCITY_GOAL in self._stamps:
            self._stamps[VELOCITY_GOAL] = stamp

    def command_velocity(self, velocity: Array, stamp: int) -> None:
        """Take a velocity goal (3,) that counts for 0.5 s from its stamp in ns on, and then is zero.

        Raises:
          PoloError: the task has no velocity goal.
        """
        self._task.goals.index(VELOCITY)
        self._velocity_command = VelocityCommand(velocity, stamp)

    def _apply_velocity_command(self, moment: int) -> None:
        command = self._velocity_command
        if command is None:
            return
        self._goal[self._task.goals.position_entries(VELOCITY)] = command.at(moment)
        if command.stale(moment):
            self._velocity_command = None  # what sets the goal from now on is the simulator, if there is one

    @property
    def stamp(self) -> int | None:
        """The moment of the state, in ns; None while the state is not whole.

        A state is whole when no part is missing, all are of one moment in lockstep, or otherwise no further
        apart than samples are kept, and an imu agrees with the odometry on what is vertical.
        """
        stamps = [stamp for stamp in self._stamps.values() if stamp is not None]
        tilted = self._imu is not None and self._imu.tilted()
        if len(stamps) < len(self._stamps) or tilted:
            return None
        spread = max(stamps) - min(stamps)
        return None if spread > (0 if self._lockstep else KEPT_SPAN_NS) else min(stamps)

    @property
    def progress(self) -> tuple[int, int] | None:
        """`Snapshot.progress` of the snapshot that could be made now; None while the state is not whole."""
        stamp = self.stamp
        return None if stamp is None else (stamp, self._ahead(stamp))

    def snapshot(self) -> Snapshot | None:
        """The state at `stamp`; None while it is not whole."""
        stamp = self.stamp
        if stamp is None:
            return None
        self._apply_velocity_command(stamp)
        state = self._at(stamp)
        if self._imu is None:
            return Snapshot(state, stamp)
        heading = self._imu.put_into(state, stamp)
        ahead = self._ahead(stamp)
        if not ahead:
            return Snapshot(state, stamp)
        part, moment = self._parts[JOINTS], stamp + ahead * self._period
        later = np.full(len(state), np.nan)
        later[part.qpos], later[self._model.nq :][part.qvel] = part.samples.between(moment)
        self._imu.put_into(later, moment, heading)
        return Snapshot(state, stamp, ahead, later)

    def newest(self) -> tuple[Array, Array]:
        """All positions (nq,) and generalised velocities (nv,) as received last, of whatever moments."""
        nq, nv = self._model.nq, self._model.nv
        qpos, qvel = self._rest[:nq].copy(), self._rest[nq : nq + nv].copy()
        for part in self._parts.values():
            newest = part.samples.newest
            if newest is not None:
                qpos[part.qpos], qvel[part.qvel] = newest.qpos, newest.qvel
        return qpos, qvel

    def _add(self, topic: str, sample: Sample) -> None:
        self._stamps[topic] = self._parts[topic].samples.add(sample)

    def _ahead(self, stamp: int) -> int:
        """How many whole control periods after a stamp in ns the newest imu and joints are."""
        if self._imu is None:
            return 0
        joints, imu = self._parts[JOINTS].samples.newest, self._imu.samples.newest
        assert joints is not None and imu is not None
        return max(min(joints.stamp, imu.stamp) - stamp, 0) // self._period

    def _at(self, moment: int) -> Array:
        """The flat state at a moment in ns, (state_size,)."""
        model, state = self._model, self._rest.copy()
        if self._clock is not None:
            state[self._clock] = self._task.clock_at(moment)
        fill_in(model, self._parts.values(), state[: model.nq], state[model.nq : model.nq + model.nv], moment)
        return state
