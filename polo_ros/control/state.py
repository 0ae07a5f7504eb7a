"""Assembling the robot's flat state from parts that arrive one by one."""

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.differentiation import Differentiator
from polo_ros.control.imu import MOST_TILT, heading_and_tilt, orientation_at
from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import KEPT_SPAN_NS, KEPT_SPAN_S, RecentSamples, Sample
from polo_ros.control.velocity_goal import VelocityCommand
from polo_ros.errors import PoloError
from polo_ros.tasks.goals import POSE, VELOCITY
from polo_ros.tasks.rotations import multiply
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
        """What tells two snapshots of one robot apart, (stamp, ahead)."""
        return self.stamp, self.ahead


@dataclass(frozen=True)
class Part:
    """A part of the state: which entries of `qpos` and of `qvel` it fills, and its recent samples."""

    qpos: Addresses | slice
    qvel: Addresses | slice
    samples: RecentSamples = field(default_factory=RecentSamples)


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
        into the odometry's, since an imu's own begins anywhere and drifts.

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
        bodies = {object_topic(body.name): body for body in joints.objects}
        if joints.base:
            bodies = {ODOM: joints.base, **bodies}
        self._parts = {JOINTS: Part(_as_slice(joints.qpos), _as_slice(joints.qvel))}
        for topic, body in bodies.items():
            self._parts[topic] = Part(slice(body.qpos, body.qpos + 7), slice(body.qvel, body.qvel + 6))
        self._differentiator = Differentiator()
        self._imu: RecentSamples | None = None
        self._base = slice(0), slice(0)  # the base's quaternion in qpos, its angular velocity in qvel
        self._tilt = 0.0  # between the verticals of imu and odometry, in rad
        # the newest stamp of every part that a state needs, by topic
        self._stamps: dict[str, int | None] = dict.fromkeys(self._parts)
        if imu:
            if joints.base is None:
                raise PoloError(f"use_imu needs a floating base; task {task.name}'s model has none")
            qpos, qvel = joints.base.qpos + 3, joints.base.qvel + 3
            self._base = slice(qpos, qpos + 4), slice(qvel, qvel + 3)
            self._imu, self._stamps[IMU] = RecentSamples(), None
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
        """Which parts make no state together, since they are of other times or orientations; or nothing."""
        stamps = {topic: stamp for topic, stamp in self._stamps.items() if stamp is not None}
        if self._tilt > MOST_TILT:
            return (
                f"imu and odom differ by {self._tilt:.2f} rad in tilt, more than {MOST_TILT} rad; "
                f"set imu_frame to the imu's site in the model"
            )
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
        if topic == ODOM and self._imu is not None and self._imu.newest is not None:
            odometry = self._parts[ODOM].samples
            assert odometry.newest is not None
            moment = min(odometry.newest.stamp, self._imu.newest.stamp)  # both are known then
            orientations = orientation_at(odometry, moment, skip=3)[0], orientation_at(self._imu, moment)[0]
            self._tilt = heading_and_tilt(*orientations)[1]

    def add_imu(self, quaternion: Array, velocity: Array, stamp: int) -> None:
        """Take the base's orientation (4,) wxyz and angular velocity (3,) in its own frame, in rad/s."""
        assert self._imu is not None
        self._stamps[IMU] = _add(self._imu, Sample(quaternion, velocity, stamp))

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
        if len(stamps) < len(self._stamps) or self._tilt > MOST_TILT:
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
        heading = self._follow_imu(self._imu, state, stamp)
        ahead = self._ahead(stamp)
        later = self._measured_at(self._imu, heading, stamp + ahead * self._period) if ahead else None
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
        self._stamps[topic] = _add(self._parts[topic].samples, sample)

    def _ahead(self, stamp: int) -> int:
        """How many whole control periods after a stamp in ns the newest imu and joints are."""
        if self._imu is None:
            return 0
        joints, imu = self._parts[JOINTS].samples.newest, self._imu.newest
        assert joints is not None and imu is not None
        return max(min(joints.stamp, imu.stamp) - stamp, 0) // self._period

    def _follow_imu(self, imu: RecentSamples, state: Array, stamp: int) -> Array:
        """Put the imu's rotation into a state (state_size,); the turn (4,) from its heading to odometry's."""
        quaternion, velocity = self._base
        orientation, angular = orientation_at(imu, stamp)
        heading, _ = heading_and_tilt(state[quaternion], orientation)
        state[quaternion] = multiply(heading, orientation)
        state[self._model.nq :][velocity] = angular
        return heading

    def _measured_at(self, imu: RecentSamples, heading: Array, moment: int) -> Array:
        """What joints and imu say of a moment in ns, (state_size,); NaN elsewhere."""
        part, (quaternion, velocity) = self._parts[JOINTS], self._base
        state = np.full(len(self._rest), np.nan)
        qvel = state[self._model.nq :]
        state[part.qpos], qvel[part.qvel] = part.samples.between(moment)
        orientation, qvel[velocity] = orientation_at(imu, moment)
        state[quaternion] = multiply(heading, orientation)
        return state

    def _at(self, moment: int) -> Array:
        """The flat state at a moment in ns, (state_size,)."""
        model, state = self._model, self._rest.copy()
        if self._clock is not None:
            state[self._clock] = self._task.clock_at(moment)
        qpos, qvel = state[: model.nq], state[model.nq : model.nq + model.nv]
        between = []
        for part in self._parts.values():
            before, after = part.samples.around(moment)
            qpos[part.qpos], qvel[part.qvel] = before.qpos, before.qvel
            if before.stamp != moment:
                between.append((part, before, after))
        if between:
            self._interpolate(qpos, qvel, moment, between)
        return state

    def _interpolate(
        self, qpos: Array, qvel: Array, moment: int, between: list[tuple[Part, Sample, Sample]]
    ) -> None:
        """Take parts from the sample before a moment in ns on to it, in `qpos` (nq,) and `qvel` (nv,).

        A part with samples of one side alone is rolled by their velocities.
        """
        later, shift = qpos.copy(), np.zeros(self._model.nv)
        share = np.zeros(self._model.nv)  # of the way to the sample after the moment
        for part, before, after in between:
            if before is after:
                shift[part.qvel] = (moment - before.stamp) / NANOSECONDS * before.qvel
                continue
            weight = (moment - before.stamp) / (after.stamp - before.stamp)
            later[part.qpos], share[part.qvel] = after.qpos, weight
            qvel[part.qvel] += weight * (after.qvel - before.qvel)
        way = np.empty(self._model.nv)
        mujoco.mj_differentiatePos(self._model, way, 1.0, qpos, later)
        mujoco.mj_integratePos(self._model, qpos, share * way + shift, 1.0)


def _add(samples: RecentSamples, sample: Sample) -> int:
    """Add a sample; the newest stamp then, in ns."""
    samples.add(sample)
    assert samples.newest is not None
    return samples.newest.stamp


def _as_slice(addresses: Addresses) -> Addresses | slice:
    """Addresses that follow on each other as a slice, which NumPy copies ten times faster."""
    first = int(addresses[0]) if len(addresses) else 0
    consecutive = np.array_equal(addresses, np.arange(first, first + len(addresses)))
    return slice(first, first + len(addresses)) if consecutive else addresses
