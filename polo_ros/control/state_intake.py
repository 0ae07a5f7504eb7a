"""The receiving half of a controller: parts of the state in, whole states on."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.config import SafetyParameters
from polo_ros.control.samples import Sample
from polo_ros.control.state import Snapshot, StateAssembler
from polo_ros.control.twist_frame import TwistFrameCheck

# a forward gap between two states begins a new episode where it is longer than this many control periods …
EPISODE_GAP_PERIODS = 20
# … or, with slow control, longer than this, in s, as long as it is more than one period
LONGEST_EPISODE_GAP_S = 0.5


class StateIntake(ABC):
    """Takes parts of the state and passes each whole state on once.

    Args:
      states: combines the parts.
      period: of control, in ns.
      twist_frame: of odometry, as the planner was told: "child" or "world".
      monotonic: gives the time in ns by a clock that never jumps.
    """

    def __init__(
        self, states: StateAssembler, period: int, twist_frame: str, monotonic: Callable[[], int]
    ) -> None:
        self._states = states
        self._monotonic = monotonic
        topics = states.odometry_topics()
        self._twist_checks = {topic: TwistFrameCheck(topic, twist_frame) for topic in topics}
        longest = min(EPISODE_GAP_PERIODS * period, LONGEST_EPISODE_GAP_S * NANOSECONDS)
        self._longest_gap = max(longest, 1.5 * period)
        self._latest: Snapshot | None = None
        # when the last message of a whole state came, by the monotonic clock, in ns
        self._received: int | None = None

    def odometry_topics(self) -> list[str]:
        """The odometry that `add_odometry` takes."""
        return self._states.odometry_topics()

    def add_joints(self, positions: Array, velocities: Array, stamp: int) -> bool:
        """Take a part of the state, as `StateAssembler` does; whether the state is whole now."""
        self._states.add_joints(positions, velocities, stamp)
        return self._on_part()

    def add_odometry(self, topic: str, qpos: Array, qvel: Array, stamp: int) -> bool:
        """Take a part of the state, as `StateAssembler` does; whether the state is whole now."""
        self._twist_checks[topic].add(Sample(qpos, qvel, stamp))
        self._states.add_odometry(topic, qpos, qvel, stamp)
        return self._on_part()

    def add_imu(self, quaternion: Array, velocity: Array, stamp: int) -> bool:
        """Take a part of the state, as `StateAssembler` does; whether the state is whole now."""
        self._states.add_imu(quaternion, velocity, stamp)
        return self._on_part()

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> bool:
        """Take a goal, as `StateAssembler` does; whether it completes a state."""
        self._states.add_goal(position, quaternion, stamp)
        return False

    def add_velocity_goal(self, velocity: Array, stamp: int) -> bool:
        """Take a velocity goal, as `StateAssembler` does; whether it completes a state."""
        self._states.add_velocity_goal(velocity, stamp)
        return False

    def command_velocity(self, velocity: Array, stamp: int) -> bool:
        """Take a velocity goal that expires, as `StateAssembler` does; it completes no state."""
        self._states.command_velocity(velocity, stamp)
        return False

    def _on_part(self) -> bool:
        """Act on the state as soon as it is whole, once for each moment and what is known after it."""
        progress, previous = self._states.progress, self._latest
        if progress is None:
            return False
        self._received = self._monotonic()
        if previous is not None and progress == previous.progress:
            self._on_repeated_state()
            return True
        snapshot = self._states.snapshot()
        assert snapshot is not None
        self._latest = snapshot
        step = 0 if previous is None else snapshot.stamp - previous.stamp
        if step < 0 or step > self._longest_gap:
            self._on_jump(step)
        self._on_state(snapshot)
        return True

    @abstractmethod
    def _on_jump(self, step: int) -> None:
        """Time has jumped by a step in ns, back or so far ahead that a new episode begins."""

    @abstractmethod
    def _on_state(self, snapshot: Snapshot) -> None:
        """A whole state of a new moment."""

    @abstractmethod
    def _on_repeated_state(self) -> None:
        """A part of the moment that was already acted on."""

    def _wrong_twist(self) -> str:
        """Which odometry's twist is in another frame than told; empty where none is."""
        return next((check.fault for check in self._twist_checks.values() if check.fault), "")

    def _silence(self, parameters: SafetyParameters) -> str:
        """A sentence if no state has come for too long by the monotonic clock; empty otherwise.

        Stamps do not tell where the clock that they are compared with stands still: with the simulator,
        simulated time is gone, too.
        """
        if self._received is None:
            return ""
        silent = (self._monotonic() - self._received) / NANOSECONDS
        limit = max(parameters.silence_timeout, parameters.state_timeout)
        return f"no state has come for {silent:.1f} s" if silent > limit else ""
