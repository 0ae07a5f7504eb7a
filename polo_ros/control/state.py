"""Assembling the robot's flat state from parts that arrive one by one."""

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import KEPT_SPAN_NS, KEPT_SPAN_S, RecentSamples, Sample
from polo_ros.tasks.goals import POSE, VELOCITY
from polo_ros.tasks.state import clock_entry
from polo_ros.tasks.task import Task

Addresses = NDArray[np.int_]
JOINTS = "joint_states"
ODOM = "odom"
GOAL = "goal"


def object_topic(body: str) -> str:
    """The odometry topic of a free object."""
    return f"objects/{body}/odom"


@dataclass(frozen=True)
class Snapshot:
    """A whole flat state (state_size,) and the moment that it describes, in ns."""

    state: Array
    stamp: int


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
      lockstep: whether the newest samples of all parts must carry the same stamp. The goal is one of these
        parts in lockstep only: a robot may have none but the model's own.
    """

    def __init__(self, task: Task, joints: JointMapping, lockstep: bool) -> None:
        model = task.model
        self._task = task
        self._model = model
        self._lockstep = lockstep
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
        # the newest stamp of every part that a state needs, by topic
        self._stamps: dict[str, int | None] = dict.fromkeys(self._parts)
        if lockstep and POSE in task.goals.kinds:
            self._stamps[GOAL] = None

    def odometry_topics(self) -> list[str]:
        """The odometry that a state of this model needs, derived from its free joints."""
        return [topic for topic in self._parts if topic != JOINTS]

    def missing(self) -> list[str]:
        """The topics without a message so far."""
        return [topic for topic, stamp in self._stamps.items() if stamp is None]

    def apart(self) -> str:
        """Which part is too far behind another one to make a state with it; empty where none is."""
        stamps = {topic: stamp for topic, stamp in self._stamps.items() if stamp is not None}
        if self._lockstep or not stamps:
            return ""
        first, last = min(stamps, key=stamps.__getitem__), max(stamps, key=stamps.__getitem__)
        behind = stamps[last] - stamps[first]
        if behind <= KEPT_SPAN_NS:
            return ""
        return f"{first} is {behind / NANOSECONDS:.3f} s behind {last}, more than {KEPT_SPAN_S:g} s"

    def add_joints(self, positions: Array, velocities: Array, stamp: int) -> None:
        """Take joint positions and velocities in the order of `JointMapping.joint_names`."""
        self._add(JOINTS, Sample(positions, velocities, stamp))

    def add_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> None:
        """Take the pose (7,) and velocity (6,) of the base or an object, as MuJoCo keeps them."""
        self._add(topic, Sample(qpos, qvel, stamp))

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

    def add_velocity_goal(self, velocity: Array) -> None:
        """Set the velocity goal (3,): ahead and left in m/s, yaw rate in rad/s.

        Raises:
          PoloError: the task has no velocity goal.
        """
        self._goal[self._task.goals.position_entries(VELOCITY)] = velocity

    @property
    def stamp(self) -> int | None:
        """The moment of the state, in ns; None while the state is not whole.

        A state is whole when no part is missing and all are of one moment in lockstep, or otherwise no
        further apart than samples are kept.
        """
        stamps = [stamp for stamp in self._stamps.values() if stamp is not None]
        if len(stamps) < len(self._stamps):
            return None
        spread = max(stamps) - min(stamps)
        return None if spread > (0 if self._lockstep else KEPT_SPAN_NS) else min(stamps)

    def snapshot(self) -> Snapshot | None:
        """The state at `stamp`; None while it is not whole."""
        stamp = self.stamp
        return None if stamp is None else Snapshot(self._at(stamp), stamp)

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
        samples = self._parts[topic].samples
        samples.add(sample)
        assert samples.newest is not None
        self._stamps[topic] = samples.newest.stamp

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


def _as_slice(addresses: Addresses) -> Addresses | slice:
    """Addresses that follow on each other as a slice, which NumPy copies ten times faster."""
    first = int(addresses[0]) if len(addresses) else 0
    consecutive = np.array_equal(addresses, np.arange(first, first + len(addresses)))
    return slice(first, first + len(addresses)) if consecutive else addresses
