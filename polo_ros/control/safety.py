"""When the planner may command, how strongly, and what is commanded otherwise."""

from enum import Enum

from polo_ros.arrays import Array
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.tasks.task import Task


class GateState(Enum):
    """What the gate lets through: the planner's commands in ENABLED alone."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    E_STOPPED = "e-stop pressed"


class SafetyGate:
    """Passes the planner's commands on within limits, or replaces them by the safe action.

    Args:
      task: gives the control ranges.
      joints: gives the units of the damping action.
      enabled: whether commands flow from the start.
      parameters: in force until they are replaced.

    Attributes:
      state: changed by `enable` and `e_stop` alone.
      parameters: may be replaced by any thread at any time.
    """

    def __init__(self, task: Task, joints: JointMapping, enabled: bool, parameters: SafetyParameters) -> None:
        self.state = GateState.ENABLED if enabled else GateState.DISABLED
        self.parameters = parameters
        self._task = task
        self._joints = joints
        self._ramp_start: float | None = None
        self._last_ctrl: Array | None = None

    @property
    def enabled(self) -> bool:
        """Whether the planner may command, as far as enabling and the e-stop go."""
        return self.state is GateState.ENABLED

    @property
    def e_stopped(self) -> bool:
        """Whether the e-stop is pressed."""
        return self.state is GateState.E_STOPPED

    def enable(self, on: bool) -> tuple[bool, str]:
        """Answer a request to enable or disable with success and a sentence."""
        if on and self.e_stopped:
            return False, "the e-stop is pressed; release it, then enable"
        if on and not self.enabled:
            self._ramp_start = None
        if not self.e_stopped:
            self.state = GateState.ENABLED if on else GateState.DISABLED
        return True, "enabled" if on else "disabled"

    def e_stop(self, pressed: bool) -> None:
        """Follow the e-stop; after its release, motion needs an explicit `enable`."""
        if pressed:
            self.state = GateState.E_STOPPED
        elif self.e_stopped:
            self.state = GateState.DISABLED

    def reason(self, state_age: float | None, missing: list[str]) -> str:
        """Why the planner must not command now; empty where it may.

        Args:
          state_age: in s; None where there is no state yet or its age does not matter.
          missing: topics without a message so far.
        """
        if self.e_stopped:
            return "e-stop pressed"
        if not self.enabled:
            return "not enabled; call ~/enable"
        if missing:
            return f"no message yet on {', '.join(missing)}"
        timeout = self.parameters.state_timeout
        if state_age is not None and state_age > timeout:
            return f"the state is {state_age:.3f} s old, more than {timeout:.3f} s"
        return ""

    def command(self, wanted: Array | None, time: float, qvel: Array) -> Array:
        """The control to send, (nu,).

        Args:
          wanted: the plan's control, (nu,); None for the safe action.
          time: in s.
          qvel: the robot's newest velocities, (nv,), which the damping action needs.
        """
        return self.safe_ctrl(qvel) if wanted is None else self.limit(wanted, time)

    def limit(self, ctrl: Array, time: float) -> Array:
        """Controls clamped to their share of the range and ramped in after enabling, (nu,).

        Servos are clamped to their range alone: a share of a position would be another position.
        """
        if self._ramp_start is None or time < self._ramp_start:
            self._ramp_start = time
        parameters = self.parameters
        low, high = self._task.control_low, self._task.control_high
        if self._joints.position_controlled:
            self._last_ctrl = ctrl.clip(low, high)
        else:
            elapsed, ramp_time = time - self._ramp_start, parameters.ramp_time
            scale = parameters.max_effort_scale * (min(elapsed / ramp_time, 1.0) if ramp_time > 0 else 1.0)
            self._last_ctrl = ctrl.clip(low * scale, high * scale)
        return self._last_ctrl

    def safe_ctrl(self, qvel: Array) -> Array:
        """The safe action, (nu,): no effort, a brake on every joint, or the last command held.

        A held servo keeps its position. A held effort would push for ever, so efforts are zero where
        nothing was commanded yet.
        """
        self._ramp_start = None
        parameters = self.parameters
        return safe_action(
            self._task, self._joints, parameters.safe_action, parameters.damping, qvel, self._last_ctrl
        )


def safe_action(
    task: Task, joints: JointMapping, action: str, damping: float, qvel: Array, last: Array | None
) -> Array:
    """The control of a safe action, (nu,): "zero", "damping" or "hold" (of `last`, where there is one).

    Args:
      task: gives the control ranges.
      joints: gives the units of the damping action.
      action: which one.
      damping: gain of the damping action, in N·m·s/rad.
      qvel: the robot's velocities, (nv,).
      last: the last control, (nu,), if any.
    """
    low, high = task.control_low, task.control_high
    if action == "hold" and last is not None:
        return last
    if action == "damping":
        return joints.damping_ctrl(qvel, damping).clip(low, high)
    return (0.0 * low).clip(low, high)
