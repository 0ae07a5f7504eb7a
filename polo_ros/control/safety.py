"""When the planner may command, and what it commands otherwise; knows no ROS."""

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.tasks.task import Task


class SafetyGate:
    """Enabled, not stopped, fresh and finite, or else the safe action with its reason.

    Args:
      task: gives the control ranges.
      robot: gives the units of the damping action.
      enabled: whether commands flow from the start.
    """

    def __init__(self, task: Task, robot: JointMapping, enabled: bool) -> None:
        self._task = task
        self._robot = robot
        self.enabled = enabled
        self.stopped = False
        self._ramp_start: float | None = None
        self._last_ctrl: Array | None = None

    def enable(self, on: bool) -> tuple[bool, str]:
        """Answer a request to enable or disable with success and a sentence."""
        if on and self.stopped:
            return False, "the e-stop is pressed; release it, then enable"
        if on and not self.enabled:
            self._ramp_start = None
        self.enabled = on
        return True, "enabled" if on else "disabled"

    def e_stop(self, pressed: bool) -> None:
        """Follow the e-stop; after it, motion needs an explicit `enable`."""
        self.stopped = pressed
        if pressed:
            self.enabled = False

    def reason(self, state_age: float | None, state_timeout: float, missing: list[str]) -> str:
        """Why the planner must not command now; empty where it may.

        Args:
          state_age: in s; None where there is no state yet or age does not matter.
          state_timeout: the age at which a state is stale, in s.
          missing: topics not heard.
        """
        if self.stopped:
            return "e-stop pressed"
        if not self.enabled:
            return "not enabled; call ~/enable"
        if missing:
            return f"no message yet on {', '.join(missing)}"
        if state_age is not None and state_age > state_timeout:
            return f"the state is {state_age:.3f} s old, more than {state_timeout:.3f} s"
        return ""

    def limit(self, ctrl: Array, now: float, max_effort_scale: float, ramp_time: float) -> Array:
        """Controls clamped to their share of the range and ramped in after enabling, (nu,).

        Servos are clamped to their range alone: a share of a position would be another position.
        """
        if self._ramp_start is None or now < self._ramp_start:
            self._ramp_start = now
        low, high = self._task.control_low, self._task.control_high
        if self._robot.position_controlled:
            self._last_ctrl = ctrl.clip(low, high)
        else:
            ramp = min((now - self._ramp_start) / ramp_time, 1.0) if ramp_time > 0 else 1.0
            scale = max_effort_scale * ramp
            self._last_ctrl = ctrl.clip(low * scale, high * scale)
        return self._last_ctrl

    def safe_ctrl(self, action: str, damping: float, qvel: Array) -> Array:
        """The safe action, (nu,): no effort, a brake on every joint, or the last command held.

        A held servo keeps its position; a held effort would push for ever, so that efforts are
        released where nothing was commanded yet.
        """
        self._ramp_start = None
        return safe_action(self._task, self._robot, action, damping, qvel, self._last_ctrl)


def safe_action(
    task: Task, robot: JointMapping, action: str, damping: float, qvel: Array, last: Array | None
) -> Array:
    """The control of a safe action, (nu,): "zero", "damping" or "hold" (of `last`, where there is one)."""
    low, high = task.control_low, task.control_high
    if action == "hold" and last is not None:
        return last
    if action == "damping":
        return robot.damping_ctrl(qvel, damping).clip(low, high)
    return (0.0 * low).clip(low, high)
