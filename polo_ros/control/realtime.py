"""Control by the clock: a timer commands from the newest plan while the next one is made."""

import time
from collections.abc import Callable
from dataclasses import replace

from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Command
from polo_ros.control.controller import Controller, ControllerOutputs, ControllerSettings
from polo_ros.control.joints import JointMapping
from polo_ros.control.latency import LatencyEstimate
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.schedule import RUN_OUT, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.control.status import Level, Status
from polo_ros.control.timing import Timing
from polo_ros.planner import Planner


class RealTimeController(Controller):
    """Plans from the newest state, predicted to the time at which the plan will be ready.

    Args:
      planner, joints, settings, clock, outputs: see `Controller`.
      clock_resolution: of `clock`, in ns: a simulated clock advances by whole control periods.
    """

    def __init__(
        self,
        planner: Planner,
        joints: JointMapping,
        settings: ControllerSettings,
        clock: Callable[[], int],
        outputs: ControllerOutputs,
        clock_resolution: int = 0,
    ) -> None:
        super().__init__(planner, joints, settings, clock, outputs)
        self._follower = PlanFollower(planner, self._gate, self._states.velocities, self._period)
        self._look_ahead = LatencyEstimate(self._period, clock_resolution)
        self._timing = Timing(self._period)
        self._held_back = ""
        self._missed_reported = 0

    def tick(self) -> None:
        """Command from the plan that acts now, or the safe action; to be called once a control period."""
        now = self._clock()
        acting = self._follower.schedule.at(now / NANOSECONDS)
        reason = self._why_gated(now) or why_unfollowed(acting, now / NANOSECONDS)
        self._counts["missed_plans"] += reason == RUN_OUT != self._held_back
        self._held_back = reason
        acting = None if reason else acting
        state = self._latest.stamp if self._latest is not None else None
        self._timing.tick(now, state, acting.stamp if acting else None)
        if state is None:
            return
        ctrl = self._follower.command(acting.plan if acting else None, now / NANOSECONDS)
        self._send(ctrl, state)
        self._follower.history.add_command(Command(now, ctrl, planned=acting is not None))

    def status(self) -> Status:
        """Whether commands flow and why not, how planning goes, and how time is kept."""
        status = super().status()
        timing = self._timing.report(self._clock(), self._counts["plans"])
        status = replace(status, values=status.values | timing)
        missed = self._counts["missed_plans"]
        if status.level is Level.OK and missed > self._missed_reported:
            self._missed_reported = missed
            text = "planning was late: the plan ran out before the next one came"
            return replace(status, level=Level.WARN, text=text)
        return status

    def close(self) -> bool:
        """Let the last plan finish and leave the robot with its safe action; whether that was sent."""
        self._worker.close()
        self._outputs.record(self._follower.history.pop_transitions())
        return super().close()

    # ---- the state

    def _on_state(self, snapshot: Snapshot) -> None:
        with self._lock:
            episode = self._episode + self._reset_wanted
        self._follower.history.add_state(snapshot, episode)
        if not self._why_gated(self._clock()):
            self._worker.submit((snapshot, time.monotonic_ns()))

    def _on_repeated_state(self) -> None:
        """A part is new and the others of its moment are still on their way: no state to plan from."""

    def _check_gap(self, step: int) -> None:
        if step < 0:
            self._follower.history.clear()
        super()._check_gap(step)

    def _why_safe(self) -> str:
        return self._why_gated(self._clock()) or self._held_back

    def _why_gated(self, now: int) -> str:
        """Why the gate lets no plan through at a time in ns; empty where it does."""
        age = (now - self._latest.stamp) / NANOSECONDS if self._latest is not None else None
        return self._gate.reason(age, self._states.missing())

    # ---- planning, on its own thread

    def _plan(self, snapshot: Snapshot, received: int) -> None:
        wall, now = time.monotonic_ns(), self._clock()
        self._look_ahead.begin(wall, now)
        state, start = snapshot.state, snapshot.stamp
        compensates = self._settings.node.latency_compensation
        if compensates:
            periods = self._look_ahead.periods(now - start, wall - received)
            state, start = self._follower.predict(snapshot, periods), start + periods * self._period
        report = self._planner.plan(state, start / NANOSECONDS)
        self._look_ahead.end(time.monotonic_ns())
        self._count(report)
        now = self._clock()
        with self._lock:
            if not self._reset_wanted:
                self._newest = report
                self._follower.schedule.add(report.plan, snapshot.stamp, now / NANOSECONDS)
        self._latency = start - snapshot.stamp
        self._counts["late_plans"] += compensates and now >= start
        # judging transitions takes time that the control timer does not have
        self._outputs.record(self._follower.history.pop_transitions())
        self._outputs.show(report)

    def _start_episode(self) -> None:
        super()._start_episode()
        self._look_ahead.interrupt()

    def _forget_plans(self) -> None:
        with self._lock:
            super()._forget_plans()
            self._follower.schedule.clear()
