"""What may be commanded: a plan within range, ramp and rate, or the safe action of each actuator's kind."""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Measured:
    """The robot's newest positions (nq,) and velocities (nv,), and whether they are recent."""

    qpos: Array
    qvel: Array
    fresh: bool


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


class CommandLimits:
    """Makes commands that follow on from the last one within limits.

    Each actuator is treated by its own kind: a position servo or anything else, called an effort here. The
    safe action of a servo is its last command or, without one, its measured position; that of an effort is
    zero or a brake. No effort is ever held. It keeps nothing between two commands; see `Motion`.

    Args:
      task: gives the control ranges, the neutral pose and the control period.
      joints: tells servos from efforts and gives their units.
    """

    def __init__(self, task: Task, joints: JointMapping) -> None:
        self._joints = joints
        self._low, self._high = task.control_low, task.control_high
        # the nearest to no effort that the ranges allow
        self._released = np.clip(0.0, self._low, self._high)
        self._neutral = task.neutral
        self._period = task.timestep

    def follow(
        self,
        wanted: Array,
        time: float,
        last: Motion | None,
        measured: Measured,
        parameters: SafetyParameters,
    ) -> Motion:
        """A plan's control (nu,) at a time in s, within range, share of the range, ramp and rate."""
        if last is None or last.ramp_start is None or time < last.ramp_start:
            start, origin = time, self._position(last, measured)
        else:
            start, origin = last.ramp_start, last.ramp_origin
        ramp = min((time - start) / parameters.ramp_time, 1.0) if parameters.ramp_time > 0 else 1.0
        efforts = self._limit_efforts(wanted, parameters.max_effort_scale * ramp)
        targets = wanted.clip(self._low, self._high)
        if ramp < 1.0:
            targets = origin + ramp * (targets - origin)
        if parameters.max_rate > 0:
            step = self._step(time, last, parameters.max_rate)
            targets = approach(targets, last.ctrl if last else origin, step)
        return Motion(np.where(self._joints.servo, targets, efforts), time, start, origin)

    def safe(
        self,
        time: float,
        last: Motion | None,
        measured: Measured,
        parameters: SafetyParameters,
        to_neutral: bool,
        brakes: bool,
    ) -> Motion:
        """The safe action at a time in s; not finite where a servo's position is not known.

        Args:
          time: in s.
          last: what was commanded last.
          measured: where the robot is.
          parameters: in force.
          to_neutral: whether servos may go to the neutral pose.
          brakes: whether efforts may brake; otherwise they are released.
        """
        held = self._position(last, measured)
        if to_neutral and measured.fresh and parameters.neutral_rate > 0:
            held = approach(self._neutral, held, self._step(time, last, parameters.neutral_rate))
        efforts = safe_efforts(
            self._joints,
            parameters.safe_action,
            parameters.damping,
            self._period,
            measured.qvel if brakes and measured.fresh else None,
        )
        efforts = self._limit_efforts(efforts, parameters.max_effort_scale)
        ctrl: Array = np.where(self._joints.servo, held, efforts)
        return Motion(ctrl, time, None, ctrl)

    def final(self, last: Motion | None, measured: Measured) -> Array:
        """The last command before control ends, (nu,); not finite where a servo's position is not known.

        Servos keep their position. Efforts are released, whatever the safe action is: a driver may hold the
        last command for ever, and a braking effort that is held accelerates the joint once it has stopped.
        """
        ctrl: Array = np.where(self._joints.servo, self._position(last, measured), self._released)
        return ctrl

    def _position(self, last: Motion | None, measured: Measured) -> Array:
        """Where the servos are: their last command or, without one, the measured positions, (nu,)."""
        if last is not None:
            return last.ctrl
        if not measured.fresh:
            return np.full(len(self._low), np.nan)
        return self._joints.measured_ctrl(measured.qpos).clip(self._low, self._high)

    def _step(self, time: float, last: Motion | None, rate: float) -> Array:
        """How far a servo's target may move since the last command, (nu,), at a rate in rad/s or m/s.

        It is no more than one control period's way, however long ago the last command was.
        """
        elapsed = min(max(time - last.time, 0.0), self._period) if last else 0.0
        return self._joints.servo_ctrl(rate * elapsed)

    def _limit_efforts(self, efforts: Array, scale: float) -> Array:
        """Efforts within a share of their ranges, (nu,)."""
        low = self._released + scale * (self._low - self._released)
        high = self._released + scale * (self._high - self._released)
        return efforts.clip(low, high)


def approach(targets: Array, origin: Array, step: Array) -> Array:
    """Servo targets that lead from an origin towards others by a step at most, each (nu,)."""
    approached: Array = origin + (targets - origin).clip(-step, step)
    return approached


def safe_efforts(
    joints: JointMapping, action: str, damping: float, period: float, qvel: Array | None
) -> Array:
    """The controls of a safe action, (nu,), for efforts: zero or a brake; "hold" brakes, too.

    Args:
      joints: gives the units.
      action: "zero", "damping" or "hold".
      damping: gain of the brake, in N·m·s/rad.
      period: how long it acts until the next command, in s.
      qvel: the robot's velocities, (nv,); None where they are not known, which releases.
    """
    if action == "zero" or qvel is None:
        return np.zeros(len(joints.servo))
    braking = joints.damping_ctrl(qvel, damping, period)
    braking[~np.isfinite(braking)] = 0.0
    return braking


def hold_warning(joints: JointMapping, action: str, parameter: str) -> str:
    """A warning that the safe action "hold" damps efforts; empty where there is nothing to warn of."""
    if action != "hold" or joints.servo.all():
        return ""
    return f"{parameter} is hold, but an effort that is held pushes for ever: efforts are damped instead"
