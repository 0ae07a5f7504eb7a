"""The safety gate: when the planner may command, and when the safe action takes its place.

docs/safety.md draws its states and lists what is commanded in each.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.command_limits import CommandLimits, Measured, Motion
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.tasks.task import Task


class GateState(Enum):
    """What requests and the e-stop have led to; plans are followed in ENABLED alone."""

    NEVER_ENABLED = "never enabled"
    ENABLED = "enabled"
    DISABLED = "disabled"
    E_STOPPED = "e-stop pressed"


@dataclass(frozen=True)
class GatedCommand:
    """A control (nu,) that may be sent, and whether it is a plan's or the safe action's."""

    ctrl: Array
    planned: bool


class SafetyGate:
    """Passes the planner's commands on within limits, or replaces them by the safe action.

    Args:
      task, joints: see `CommandLimits`.
      enabled: whether commands flow from the start.
      parameters: in force until they are replaced.

    Attributes:
      state: changed by `enable` and `e_stop` alone.
      parameters: may be replaced by any thread at any time, and act from the next command on.
      blocked: why nothing may be sent at all, not even the safe action; empty where nothing is in the way.
    """

    def __init__(self, task: Task, joints: JointMapping, enabled: bool, parameters: SafetyParameters) -> None:
        self.state = GateState.ENABLED if enabled else GateState.NEVER_ENABLED
        self.parameters = parameters
        self.blocked = ""
        self._limits = CommandLimits(task, joints)
        self._has_servos = bool(joints.servo.any())
        self._was_enabled = enabled
        # replaced as a whole, since predictions copy the gate on another thread
        self._motion: Motion | None = None

    # ---- requests

    @property
    def enabled(self) -> bool:
        """Whether the planner may command, as far as enabling and the e-stop go."""
        return self.state is GateState.ENABLED

    @property
    def e_stopped(self) -> bool:
        """Whether the e-stop is pressed."""
        return self.state is GateState.E_STOPPED

    @property
    def silent(self) -> bool:
        """Whether nothing is sent: while blocked, and by default before the first enabling."""
        return bool(self.blocked) or (not self._was_enabled and self.parameters.disabled_action == "silent")

    def enable(self, on: bool) -> tuple[bool, str]:
        """Answer a request to enable or disable with success and a sentence."""
        if on and self.e_stopped:
            return False, "the e-stop is pressed; release it, then enable"
        if on:
            if not self.enabled and self._motion is not None:
                self._motion = Motion(self._motion.ctrl, self._motion.time, None, self._motion.ctrl)
            self.state, self._was_enabled = GateState.ENABLED, True
            return True, self._about_enabling()
        if not self.e_stopped:
            self.state = self._not_enabled()
        return True, "disabled"

    def e_stop(self, pressed: bool) -> None:
        """Follow the e-stop; after its release, motion needs an explicit `enable`."""
        if pressed:
            self.state = GateState.E_STOPPED
        elif self.e_stopped:
            self.state = self._not_enabled()
            self.forget_command()  # the servos' power may have been off

    def forget_command(self) -> None:
        """Follow on from the measured positions: the last command may no longer act."""
        self._motion = None

    def _not_enabled(self) -> GateState:
        return GateState.DISABLED if self._was_enabled else GateState.NEVER_ENABLED

    def _about_enabling(self) -> str:
        parameters = self.parameters
        if self._has_servos and not (parameters.ramp_time or parameters.max_rate):
            return "enabled; servos follow the plan at once: safety.ramp_time and safety.max_rate are 0"
        return "enabled"

    # ---- reasons

    def why_stale(self, state_age: float) -> str:
        """Why a state of an age in s is too old, or of the future; empty where it is neither."""
        timeout = self.parameters.state_timeout
        if state_age < -timeout:  # predicted from there, a plan would begin long after it is needed
            ahead = f"{-state_age:.3f} s ahead of the clock, more than {timeout:.3f} s"
            return f"the state is stamped {ahead}; synchronise the clocks"
        return f"the state is {state_age:.3f} s old, more than {timeout:.3f} s" if state_age > timeout else ""

    def reason(self, stale: str, missing: list[str]) -> str:
        """Why the planner must not command now; empty where it may.

        Args:
          stale: why the state is too old; empty where it is not.
          missing: topics without a message so far.
        """
        if self.blocked:
            return self.blocked
        if self.e_stopped:
            return "e-stop pressed"
        if not self.enabled:
            return "not enabled; call ~/enable"
        if missing:
            return f"no message yet on {', '.join(missing)}"
        return stale

    # ---- commands

    def command(self, wanted: Array | None, time: float, measured: Measured) -> GatedCommand | None:
        """What to send; None where nothing must be sent.

        That is so while `blocked`, before the first enabling, unless `disabled_action` says otherwise, and
        where a servo has neither a last command nor a recent measured position.

        Args:
          wanted: the plan's control, (nu,), followed only where all permits it; None for the safe action.
          time: in s.
          measured: what the safe action and the ramp begin from.
        """
        parameters = self.parameters  # once: they may be replaced meanwhile
        if self.silent:
            self._motion = None
            return None
        planned = wanted is not None and self.enabled and measured.fresh and bool(np.isfinite(wanted).all())
        if planned:
            assert wanted is not None
            motion = self._limits.follow(wanted, time, self._motion, measured, parameters)
        else:
            motion = self._limits.safe(
                time, self._motion, measured, parameters, to_neutral=self.enabled, brakes=self._was_enabled
            )
        if not np.isfinite(motion.ctrl).all():
            return None
        self._motion = motion
        return GatedCommand(motion.ctrl, planned)

    def final_command(self, measured: Measured) -> Array | None:
        """The last command before control ends, (nu,), see `CommandLimits.final`; None to send nothing."""
        if self.silent:
            return None
        ctrl = self._limits.final(self._motion, measured)
        return ctrl if np.isfinite(ctrl).all() else None
