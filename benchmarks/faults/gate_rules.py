"""What must hold of every command, told from the events alone, without the gate's code."""

from dataclasses import dataclass, field

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.planner import Plan
from polo_ros.tasks import Task

CLOSE = 1e-9
# plans are sampled at times in s since 1970
TIME_ROUNDING_S = 2e-6
# a jump between two states that is longer than this, in s, or goes back: see `Controller`
GAP_S = 0.4
# samples that come later than this, in s, mean that time has jumped back: see `RecentSamples`
LATE_S = 0.2


@dataclass(frozen=True)
class State:
    """Joint positions and velocities, (2,) each, and their stamp in ns."""

    qpos: Array
    qvel: Array
    stamp: int


@dataclass
class Oracle:
    """Follows what has happened and judges commands.

    Attributes:
      task, joints, lockstep: of the robot and its controller.
      enabled: by requests and the e-stop.
      parameters: in force.
      clock: the time by which commands are chosen, in ns: the clock's, or in lockstep the state's.
      closing: whether the controller is being closed.
    """

    task: Task
    joints: JointMapping
    lockstep: bool
    enabled: bool
    parameters: SafetyParameters
    clock: int = 0
    closing: bool = False
    _ever_enabled: bool = field(init=False)
    _pressed: bool = False
    _state: State | None = None
    _last: Array | None = None
    _last_time: float = 0.0
    _plans: list[Plan] = field(default_factory=list)
    # forgetting plans counts this up: a plan that was begun before is not to be followed
    _epoch: int = 0
    _begun_in: int = 0
    _any_plan: bool = False
    _ramp_start: float | None = None
    _ramp_origin: Array | None = None

    def __post_init__(self) -> None:
        self._ever_enabled = self.enabled
        self._low, self._high = self.task.control_low, self.task.control_high

    @property
    def now(self) -> float:
        """The same in s."""
        return self.clock / NANOSECONDS

    # ---- what happens

    def e_stop(self, pressed: bool) -> None:
        """The e-stop is pressed or released; a release that follows a press ends nothing but the press."""
        if self._pressed and not pressed:
            self._last = None
        if pressed:
            self.enabled = False
        self._pressed = pressed

    def enable(self, on: bool) -> None:
        """A request to enable or disable."""
        if on and not self._pressed:
            if not self.enabled:
                self._ramp_start = None
                if self._any_plan:
                    self._forget_plans()
            self.enabled = self._ever_enabled = True
        elif not on:
            self.enabled = False

    def add_state(self, state: State) -> None:
        """A state that is finite; those that are not are refused."""
        known = self._state
        if known is not None:
            late = known.stamp - LATE_S * NANOSECONDS <= state.stamp < known.stamp
            if late:
                return
            step = (state.stamp - known.stamp) / NANOSECONDS
            if step < 0 or step > GAP_S:
                self._forget_plans()
                self._last = self._ramp_start = None
        self._state = state

    def begin_plan(self) -> None:
        """Planning begins."""
        self._begun_in = self._epoch

    def end_plan(self, plan: Plan, good: bool) -> None:
        """A plan is ready; whether it found anything."""
        self._any_plan = True
        if good and self._begun_in == self._epoch:
            self._plans.append(plan)

    def on_silence(self) -> None:
        """Nothing was sent where something might have been."""
        if self._silent:
            self._last = None
        elif self._state is not None and not self.lockstep:  # in lockstep, a plan is being made
            assert self.joints.servo.any() and self._last is None and not self._fresh, "a robot left alone"

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._epoch += 1

    @property
    def _silent(self) -> bool:
        return not self._ever_enabled and self.parameters.disabled_action == "silent"

    @property
    def _fresh(self) -> bool:
        if self.lockstep:
            return True
        assert self._state is not None
        age = (self.clock - self._state.stamp) / NANOSECONDS  # negative where the stamp is ahead
        return abs(age) <= self.parameters.state_timeout

    # ---- what must hold

    def check(self, ctrl: Array, planned: bool) -> None:
        """A command, which the gate says is a plan's or the safe action's.

        Raises:
          AssertionError: it must not be.
        """
        self._check_limits(ctrl)
        if planned:
            self._check_planned(ctrl)
        else:
            self._ramp_start = None
            self._check_servos_stay(ctrl)
            self._check_safe_efforts(ctrl)
        self._last, self._last_time = ctrl, self.now

    def check_final(self, ctrl: Array) -> None:
        """The command that a robot is left with."""
        self._check_limits(ctrl)
        assert (ctrl[~self.joints.servo] == 0.0).all(), f"a robot is left with efforts {ctrl}"
        self._check_servos_stay(ctrl)

    def _check_limits(self, ctrl: Array) -> None:
        assert np.isfinite(ctrl).all(), f"command {ctrl}"
        assert not self._silent, f"a planner that was never enabled sends {ctrl}"
        assert (ctrl >= self._low - CLOSE).all() and (ctrl <= self._high + CLOSE).all(), f"beyond: {ctrl}"
        share = self.parameters.max_effort_scale
        efforts = np.abs(ctrl[~self.joints.servo])
        assert (efforts <= share * self._high[~self.joints.servo] + CLOSE).all(), f"efforts {efforts}"

    def _check_planned(self, ctrl: Array) -> None:
        assert self.enabled and not self._pressed, "a plan is followed while disabled or stopped"
        assert self._fresh, "a plan is followed in a stale state"
        parameters, servo = self.parameters, self.joints.servo
        valid = [
            plan for plan in self._plans
            if plan.start - TIME_ROUNDING_S <= self.now <= plan.end + TIME_ROUNDING_S
        ]  # fmt: skip
        assert valid, f"no valid plan gives {ctrl} at {self.now}"
        if self._ramp_start is None or self.now < self._ramp_start:
            self._ramp_start, self._ramp_origin = self.now, self._where_servos_are()
        assert self._ramp_origin is not None
        passed = self.now - self._ramp_start
        ramp = min(passed / parameters.ramp_time, 1.0) if parameters.ramp_time else 1.0
        matches = []
        for plan in valid:
            wanted = plan.sample(self.now).clip(self._low, self._high)
            bound = parameters.max_effort_scale * ramp * self._high
            expected = np.where(servo, wanted, wanted.clip(-bound, bound))
            if parameters.ramp_time and ramp < 1.0:
                expected = np.where(servo, (1 - ramp) * self._ramp_origin + ramp * wanted, expected)
            if parameters.max_rate:
                step = self._step(parameters.max_rate)
                begun = self._where_servos_are()
                expected = np.where(servo, expected.clip(begun - step, begun + step), expected)
            matches.append(np.allclose(ctrl, expected, rtol=0, atol=1e-6))
        assert any(matches), f"no valid plan gives {ctrl} at {self.now}"
        if parameters.max_rate and servo.any():
            moved = np.abs(ctrl - self._where_servos_are())[servo]
            assert (moved <= self._step(parameters.max_rate)[servo] + CLOSE).all(), f"moved by {moved}"

    def _check_servos_stay(self, ctrl: Array) -> None:
        servo = self.joints.servo
        if not servo.any():
            return
        before = self._where_servos_are()
        rate = 0.0 if self.closing or not (self.enabled and self._fresh) else self.parameters.neutral_rate
        moved = (ctrl - before)[servo]
        towards = (self.task.neutral - before)[servo]
        assert (np.abs(moved) <= self._step(rate)[servo] + CLOSE).all(), f"servos move by {moved}"
        assert (moved * towards >= -CLOSE).all(), f"servos move by {moved}"

    def _check_safe_efforts(self, ctrl: Array) -> None:
        effort = ~self.joints.servo
        parameters = self.parameters
        assert self._state is not None
        speed = self._state.qvel[self._driven()]
        brakes = parameters.safe_action != "zero" and self._fresh and self._ever_enabled
        gear = self.task.model.actuator_gear[:, 0]
        most = parameters.damping * np.abs(speed) / gear if brakes else np.zeros(len(ctrl))
        assert (ctrl * speed <= CLOSE)[effort].all(), f"efforts {ctrl} push at {speed}"
        assert (np.abs(ctrl) <= most + CLOSE)[effort].all(), f"efforts {ctrl} at {speed}"

    def _where_servos_are(self) -> Array:
        if self._last is not None:
            return self._last
        assert self._state is not None
        assert self._fresh, "a servo is sent to an old position"
        model = self.task.model
        gear = model.actuator_gear[:, 0]
        measured: Array = (gear * self._state.qpos[self._driven()]).clip(self._low, self._high)
        return measured

    def _step(self, rate: float) -> Array:
        """How far a rate in rad/s may lead by now, in the servos' controls, (nu,)."""
        elapsed = 0.0 if self._last is None else max(self.now - self._last_time, 0.0)
        gear: Array = self.task.model.actuator_gear[:, 0]
        return rate * min(elapsed, self.task.timestep) * np.abs(gear)

    def _driven(self) -> Array:
        """The joint of each actuator, (nu,)."""
        joints: Array = self.task.model.actuator_trnid[:, 0]
        return joints
