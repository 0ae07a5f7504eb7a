"""The planner's side of control without a middleware: parts of the state in, commands out."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.command_limits import Measured, hold_warning
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.identification import Identification
from polo_ros.control.joints import JointMapping
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.safety import SafetyGate
from polo_ros.control.state import Snapshot, StateAssembler
from polo_ros.control.state_intake import StateIntake
from polo_ros.control.status import Level, Status
from polo_ros.control.worker import Worker
from polo_ros.errors import PoloError
from polo_ros.planner import Planner, PlanReport
from polo_ros.planner.value import ValueEnsemble

# a state to plan from, and when it was received by the monotonic clock, in ns
Request = tuple[Snapshot, int]
FOUND_NOTHING = "every rollout diverged"


class Controller(StateIntake):
    """Plans from each whole state on a thread of its own and passes commands through the safety gate.

    All methods are for one thread, the middleware's; only `close` waits for a plan. Subclasses say when
    commands are sent.

    Args:
      planner: makes the plans.
      joints: names, addresses and units of the robot.
      settings: see `configure`.
      clock: gives the time in ns by the clock that stamps the states.
      outputs: where the results go.
      monotonic: gives the time in ns by the clock that measures computing.

    Raises:
      PoloError: the control rate is not the task's.
    """

    def __init__(
        self,
        planner: Planner,
        joints: JointMapping,
        settings: ControllerSettings,
        clock: Callable[[], int],
        outputs: ControllerOutputs,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        task, node = planner.task, settings.node
        if node.control_rate and abs(node.control_rate * task.timestep - 1.0) > 1e-6:
            raise PoloError(
                f"control_rate {node.control_rate} is not task {task.name}'s "
                f"{1.0 / task.timestep:g} control periods per second; set it to that, or the timestep "
                f"in the MJCF to 1 / (control_rate · {task.substeps})"
            )
        self._period = round(NANOSECONDS * task.timestep)
        states = StateAssembler(task, joints, node.lockstep, node.use_imu)
        super().__init__(states, self._period, node.odom_twist_frame, monotonic)
        self._planner = planner
        self._task = task
        self._settings = settings
        self._pending: ControllerSettings | None = None
        self._clock = clock
        self._outputs = outputs
        self._joints = joints
        self._hold_warning = ""
        self._gate = SafetyGate(task, joints, node.autostart, node.safety)
        self._last_sent: tuple[Array, int] | None = None
        self._episode = 0
        self._latency = 0
        counted = ("plans", "diverged_plans", "late_plans", "missed_plans")
        self._counts = dict.fromkeys(counted, 0)
        # guards what the planning thread and the middleware's thread both change
        self._lock = threading.RLock()
        self._reset_wanted = False
        self._newest: PlanReport | None = None
        self._worker = self._make_worker()
        names = node.identify
        self._identification = Identification(task, names, self._period) if names else None
        self._warn_of_hold(node)

    def _make_worker(self) -> Worker[Request]:
        """What plans from the newest state: a thread of its own."""
        return Worker(self._work, "planning")

    # ---- requests

    def enable(self, on: bool) -> tuple[bool, str]:
        """Answer a request to enable or disable commands with success and a sentence."""
        with self._lock:
            if on and self._gate.blocked:
                return False, self._gate.blocked
            before = self._gate.enabled
            answer = self._gate.enable(on)
            if self._gate.enabled and not before and self._counts["plans"]:
                self._forget_plans()  # the last one was made for another moment
        return answer

    def e_stop(self, pressed: bool) -> None:
        """Follow the e-stop."""
        if pressed != self._gate.e_stopped:  # drivers publish it repeatedly
            self._outputs.warn("e-stop pressed" if pressed else "e-stop released; enable to move")
        with self._lock:  # no plan's command follows, even of the plan that is being made
            self._gate.e_stop(pressed)

    def block(self, reason: str) -> None:
        """Send nothing, not even the safe action, as long as there is a reason: another node commands."""
        with self._lock:  # no plan's command follows
            if reason and reason != self._gate.blocked:
                self._outputs.warn(f"no commands: {reason}")
            self._gate.blocked = reason

    def reset(self) -> None:
        """Let the next plan start from neutral controls, as a new episode."""
        with self._lock:
            self._reset_wanted = True

    def configure(self, settings: ControllerSettings) -> None:
        """Take over new parameters: those of safety at once, all others before the next plan.

        What keeps plans from being made must be changeable while none is made.
        """
        self._gate.parameters = settings.node.safety
        self._warn_of_hold(settings.node)
        with self._lock:
            self._pending = settings

    def use_value(self, value: ValueEnsemble) -> None:
        """Plan with a value function from the next plan on."""
        self._planner.value = value

    def status(self) -> Status:
        """Whether commands flow and why not, and how planning goes."""
        values: dict[str, object] = {
            **self._counts,
            "episode": self._episode,
            "latency": f"{self._latency / NANOSECONDS:.4f}",
        }
        if self._identification is not None:
            values |= self._identification.values()
        report = self._newest
        if report is not None:
            values["effective_sample_size"] = f"{report.effective_sample_size:.1f}"
            values["valid_rollouts"] = report.valid_rollouts
            values["plan_time"] = f"{report.compute_time:.4f}"
        if self._gate.blocked:
            return Status(Level.ERROR, f"no commands: {self._gate.blocked}", values)
        reason = self._why_gated(self._clock())
        if reason:
            sent = "no command" if self._gate.silent else "safe action"
            return Status(Level.WARN, f"{sent}: {reason}", values)
        unfollowed = self._why_unfollowed()
        if report is not None and not report.usable:
            followed = f"safe action: {unfollowed}" if unfollowed else "following the last good plan"
            return Status(Level.ERROR, f"{FOUND_NOTHING}; {followed}", values)
        if unfollowed:
            return Status(Level.WARN, f"safe action: {unfollowed}", values)
        silence = self._silence(self._gate.parameters)
        if silence:
            return Status(Level.WARN, silence, values)
        wrong_twist = self._wrong_twist()
        if wrong_twist:
            return Status(Level.WARN, wrong_twist, values)
        return Status(Level.OK, "planning", values)

    def _why_gated(self, now: int) -> str:
        """Why the gate lets no plan through at a time in ns; empty where it does."""
        return self._gate.reason(self._why_stale(now), self._states.missing())

    @abstractmethod
    def _why_stale(self, now: int) -> str:
        """Why the newest state is too old to act on at a time in ns; empty where it is not."""

    @abstractmethod
    def _why_unfollowed(self) -> str:
        """Why there is no plan to follow; empty where there is."""

    def check(self) -> None:
        """Raise what ended the planning thread, if anything did."""
        if self._worker.failure is not None:
            raise self._worker.failure

    def close(self) -> bool:
        """Let the last plan finish; release efforts and hold servos; whether anything was sent."""
        self._worker.close()
        if self._latest is None:
            return False
        ctrl = self._gate.final_command(self._measure(self._why_stale(self._clock())))
        if ctrl is None:
            return False
        self._send(ctrl, self._latest.stamp)
        return True

    # ---- planning, on its own thread

    def _work(self, request: Request) -> None:
        """A plan from a state that was received at a monotonic time in ns."""
        self._apply_changes()
        self._plan(*request)

    @abstractmethod
    def _plan(self, snapshot: Snapshot, received: int) -> None:
        """Plan from a state that was received at a monotonic time in ns, and pass on the results."""

    def _record(self, transitions: list[Transition]) -> None:
        """Pass on transitions, and learn about the model from them where that is asked for."""
        if self._identification is not None and self._identification.add(transitions):
            self._identify(self._identification)
        self._outputs.record(transitions)

    @abstractmethod
    def _identify(self, identification: Identification) -> None:
        """Fit the model to what has been collected, and plan with it from a later plan on."""

    def _apply_changes(self) -> None:
        """Take over parameters and resets; only ever between two plans."""
        with self._lock:
            settings, self._pending = self._pending, None
        if settings is not None:
            self._settings = settings
            self._planner.configure(settings.planner)
            self._task.weights.update(settings.reward_weights)
        with self._lock:
            if self._reset_wanted:
                self._reset_wanted = False
                self._start_episode()

    def _start_episode(self) -> None:
        self._episode += 1
        self._planner.reset()

    def _count(self, report: PlanReport) -> None:
        self._counts["plans"] += 1
        self._counts["diverged_plans"] += not report.usable

    # ---- commands

    def _on_jump(self, step: int) -> None:
        if step < 0:
            self._outputs.warn("time jumped back: plan and experience start afresh")
        self._forget_plans()
        # the driver may have been away, and the servos without power
        with self._lock:
            self._gate.forget_command()

    def _forget_plans(self) -> None:
        """No plan acts until one from neutral controls has been made."""
        with self._lock:
            self._reset_wanted = True
            self._newest = None

    def _measure(self, stale: str) -> Measured:
        """What the gate's safe action and ramp begin from; `stale` as `_why_stale` says."""
        return Measured(*self._states.newest(), fresh=not stale)

    def _send(self, ctrl: Array, stamp: int, following: Array | None = None) -> None:
        self._last_sent = ctrl, stamp
        self._outputs.send(ctrl, stamp, np.empty((0, len(ctrl))) if following is None else following)

    def _warn_of_hold(self, node: PlannerNodeConfig) -> None:
        """Warn once, until it changes, that the action "hold" damps efforts."""
        warning = hold_warning(self._joints, node.safe_action, "safety.action")
        if warning and warning != self._hold_warning:
            self._outputs.warn(warning)
        self._hold_warning = warning
