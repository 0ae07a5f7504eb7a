"""The safety gate: when the planner may command, how far and fast, and what is commanded otherwise.

docs/safety.md draws its states and lists what is commanded in each.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from polo_ros.arrays import Array
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
class Measured:
    """The robot's newest positions (nq,) and velocities (nv,), and whether they are recent."""

    qpos: Array
    qvel: Array
    fresh: bool


@dataclass(frozen=True)
class GatedCommand:
    """A control (nu,) that may be sent, and whether it is a plan's or the safe action's."""

    ctrl: Array
    planned: bool


@dataclass(frozen=True)
class Motion:
    """What the next command must follow on from.

    Attributes:
      ctrl: the last command, (nu,).
      time: when it was given, in s.
      ramp_start: since when plans have been followed without a break, in s; None in the safe action.
      ramp_origin: the command before that, (nu,), or the measured positions where there was none.
    """

    ctrl: Array
    time: float
    ramp_start: float | None
    ramp_origin: Array


class SafetyGate:
    """Passes the planner's commands on within limits, or replaces them by the safe action.

    Each actuator is treated by its own kind: a position servo or anything else, called an effort here. The
    safe action of a servo is its last command or, without one, its measured position; that of an effort is
    zero or a brake. No effort is ever held.

    Args:
      task: gives the control ranges, the neutral pose and the control period.
      joints: tells servos from efforts and gives their units.
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
        self._joints = joints
        self._was_enabled = enabled
        self._low, self._high = task.control_low, task.control_high
        # the nearest to no effort that the ranges allow
        self._released = np.clip(0.0, self._low, self._high)
        self._neutral = task.neutral
        self._period = task.timestep
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
        if self._joints.servo.any() and not (parameters.ramp_time or parameters.max_rate):
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
            motion = self._follow(wanted, time, measured, parameters)
        else:
            ctrl = self._safe_ctrl(time, measured, parameters)
            motion = Motion(ctrl, time, None, ctrl)
        if not np.isfinite(motion.ctrl).all():
            return None
        self._motion = motion
        return GatedCommand(motion.ctrl, planned)

    def final_command(self, measured: Measured) -> Array | None:
        """What to leave the robot with, (nu,); None for silence.

        Servos keep their position. Efforts are released, whatever the safe action is: the driver may hold
        the last command for ever, and a brake of one moment pushes in the next.
        """
        if self.silent:
            return None
        ctrl = np.where(self._joints.servo, self._position(measured), self._released)
        return ctrl if np.isfinite(ctrl).all() else None

    def _follow(self, wanted: Array, time: float, measured: Measured, parameters: SafetyParameters) -> Motion:
        """A plan's control within range, share of the range, ramp and rate."""
        last = self._motion
        if last is None or last.ramp_start is None or time < last.ramp_start:
            start, origin = time, self._position(measured)
        else:
            start, origin = last.ramp_start, last.ramp_origin
        ramp = min((time - start) / parameters.ramp_time, 1.0) if parameters.ramp_time > 0 else 1.0
        efforts = self._limit_efforts(wanted, parameters.max_effort_scale * ramp)
        targets = wanted.clip(self._low, self._high)
        if ramp < 1.0:
            targets = origin + ramp * (targets - origin)
        if parameters.max_rate > 0:
            targets = self._approach(targets, last.ctrl if last else origin, time, parameters.max_rate)
        return Motion(np.where(self._joints.servo, targets, efforts), time, start, origin)

    def _safe_ctrl(self, time: float, measured: Measured, parameters: SafetyParameters) -> Array:
        """The safe action, (nu,); not finite where a servo's position is not known."""
        held = self._position(measured)
        if self.enabled and measured.fresh and parameters.neutral_rate > 0:
            held = self._approach(self._neutral, held, time, parameters.neutral_rate)
        brakes = measured.fresh and self._was_enabled
        efforts = safe_efforts(
            self._joints,
            parameters.safe_action,
            parameters.damping,
            self._period,
            measured.qvel if brakes else None,
        )
        efforts = self._limit_efforts(efforts, parameters.max_effort_scale)
        ctrl: Array = np.where(self._joints.servo, held, efforts)
        return ctrl

    def _position(self, measured: Measured) -> Array:
        """Where the servos are: their last command or, without one, the measured positions, (nu,)."""
        if self._motion is not None:
            return self._motion.ctrl
        if not measured.fresh:
            return np.full(len(self._low), np.nan)
        return self._joints.measured_ctrl(measured.qpos).clip(self._low, self._high)

    def _approach(self, targets: Array, origin: Array, time: float, rate: float) -> Array:
        """Servo targets that lead from where the servos are towards others, (nu,).

        The rate is in rad/s or m/s. A command leads no further than one control period of it, however
        long ago the last one was.
        """
        elapsed = min(max(time - self._motion.time, 0.0), self._period) if self._motion else 0.0
        step = self._joints.servo_ctrl(rate * elapsed)
        approached: Array = origin + (targets - origin).clip(-step, step)
        return approached

    def _limit_efforts(self, efforts: Array, scale: float) -> Array:
        """Efforts within a share of their ranges, (nu,)."""
        low = self._released + scale * (self._low - self._released)
        high = self._released + scale * (self._high - self._released)
        return efforts.clip(low, high)


def safe_efforts(
    joints: JointMapping, action: str, damping: float, period: float, qvel: Array | None
) -> Array:
    """The controls of a safe action, (nu,), for efforts: zero or a brake; "hold" brakes, too.

    Args:
      joints: gives the units.
      action: "zero", "damping" or "hold".
      damping: gain of the brake, in N·m·s/rad.
      period: how long it acts before the next one, in s.
      qvel: the robot's velocities, (nv,); None where they are not known, which releases.
    """
    if action == "zero" or qvel is None:
        return np.zeros(len(joints.servo))
    braking = joints.damping_ctrl(qvel, damping, period)
    braking[~np.isfinite(braking)] = 0.0
    return braking


def about_hold(joints: JointMapping, action: str, parameter: str) -> str:
    """What the log must say of a safe action "hold" for efforts; empty where all is as it sounds."""
    if action != "hold" or joints.servo.all():
        return ""
    return f"{parameter} is hold, but an effort that is held pushes for ever: efforts are damped instead"
