"""Control by the clock: a timer commands from the newest plan while the next one is made."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Command
from polo_ros.control.controller import Controller
from polo_ros.control.identification import Identification, Pairs
from polo_ros.control.joints import JointMapping
from polo_ros.control.latency import LatencyEstimate
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.schedule import NO_PLAN, RUN_OUT, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.control.status import Level, Status
from polo_ros.control.timing import Timing
from polo_ros.control.worker import Worker
from polo_ros.planner import Planner, PlanReport
from polo_ros.planner.models import ModelErrors


@dataclass(frozen=True)
class BegunPlan:
    """A plan that is being made.

    Attributes:
      stamp: of the state that it is made from, in ns.
      state: the state predicted to `start`, (state_size,).
      start: when the plan begins to act, in ns.
      compensated: whether the latency was compensated, so that `state` is not the one of `stamp`.
    """

    stamp: int
    state: Array
    start: int
    compensated: bool


class RealTimeController(Controller):
    """Plans from the newest state, predicted to the time at which the plan will be ready.

    Args:
      planner, joints, settings, clock, outputs, monotonic: see `Controller`.
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
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(planner, joints, settings, clock, outputs, monotonic)
        self._follower = PlanFollower(planner, self._gate, self._period)
        self._look_ahead = LatencyEstimate(self._period, clock_resolution)
        self._timing = Timing(self._period)
        self._held_back = NO_PLAN
        self._missed_reported = 0
        self._fitting: Worker[Pairs] | None = None
        self._fitted: ModelErrors | None = None  # not planned with yet
        if self._identification is not None:
            self._fitting = Worker(self._fit, "identification")

    def tick(self) -> None:
        """Command from the plan that acts now, or the safe action; to be called once a control period."""
        now = self._clock()
        effective = now + self._command_delay()
        acting = self._follower.schedule.at(effective / NANOSECONDS)
        stale = self._why_stale(now)
        reason = self._gate.reason(stale, self._states.missing())
        reason = reason or why_unfollowed(acting, effective / NANOSECONDS)
        self._counts["missed_plans"] += reason == RUN_OUT != self._held_back
        self._held_back = reason
        acting = None if reason else acting
        state = self._latest.stamp if self._latest is not None else None
        self._timing.tick(now, state, acting.stamp if acting else None)
        if state is None:
            return
        plan = acting.plan if acting else None
        measured = self._measure(stale)
        command = self._follower.command(plan, effective / NANOSECONDS, measured)
        if command is not None:
            count = self._settings.node.following_points if command.planned else 0
            self._send(command.ctrl, state, self._follower.following(effective, count, measured))
            self._follower.history.add_command(Command(effective, command.ctrl, command.planned))

    def _command_delay(self) -> int:
        """The time in ns from sending a command until it acts; plans and commands carry the latter."""
        node = self._settings.node
        return round(node.command_delay * NANOSECONDS) if node.latency_compensation else 0

    def status(self) -> Status:
        """Whether commands flow and why not, how planning goes, and how time is kept."""
        status = super().status()
        now, plans, missed = self._clock(), self._counts["plans"], self._counts["missed_plans"]
        late = self._timing.late(now, plans, self._counts["late_plans"])
        status = replace(status, values=status.values | self._timing.report(now, plans))
        if status.level is not Level.OK:
            return status
        if missed > self._missed_reported:
            ran_out = "the plan ran out before the next one came"
            late = f"{ran_out}; {late}" if late else ran_out
            self._missed_reported = missed
        return replace(status, level=Level.WARN, text=f"planning is late: {late}") if late else status

    def check(self) -> None:
        """Raise what ended the planning thread, or that of identification, if anything did."""
        super().check()
        if self._fitting is not None and self._fitting.failure is not None:
            raise self._fitting.failure

    def close(self) -> bool:
        """Let the last plan finish and leave the robot with its safe action; whether that was sent."""
        self._worker.close()
        if self._fitting is not None:
            self._fitting.close()
        self._record(self._follower.history.pop_transitions())
        return super().close()

    # ---- the state

    def _on_state(self, snapshot: Snapshot) -> None:
        with self._lock:
            episode = self._episode + self._reset_wanted
        self._follower.history.add_state(snapshot, episode)
        if not self._why_gated(self._clock()):
            self._worker.submit((snapshot, self._monotonic()))

    def _on_repeated_state(self) -> None:
        """A part is new and the others of its moment are still on their way: no state to plan from."""

    def _on_jump(self, step: int) -> None:
        if step < 0:
            self._follower.history.clear()
        super()._on_jump(step)

    def _why_stale(self, now: int) -> str:
        apart = self._states.apart()  # parts too far apart make no new state: this is why the state is old
        if apart or self._latest is None:
            return apart
        return self._gate.why_stale((now - self._latest.stamp) / NANOSECONDS) or self._silence(
            self._gate.parameters
        )

    def _why_unfollowed(self) -> str:
        return self._held_back

    # ---- planning, on its own thread

    def _plan(self, snapshot: Snapshot, received: int) -> None:
        begun = self._begin_plan(snapshot, received)
        report = self._planner.plan(begun.state, begun.start / NANOSECONDS)
        self._end_plan(begun, report)

    def _begin_plan(self, snapshot: Snapshot, received: int) -> BegunPlan:
        """Decide when the plan starts, and predict the state of that time."""
        wall, now = self._monotonic(), self._clock()
        self._look_ahead.begin(wall, now)
        state, periods = snapshot.state, 0
        compensated = self._settings.node.latency_compensation
        if compensated:
            age = now + self._command_delay() - snapshot.stamp
            periods = self._look_ahead.periods(age, wall - received)
            measured = self._measure(self._why_stale(now))
            state = self._follower.predict(snapshot, periods, measured)
        return BegunPlan(snapshot.stamp, state, snapshot.stamp + periods * self._period, compensated)

    def _end_plan(self, begun: BegunPlan, report: PlanReport) -> None:
        """Let the plan act from its start on, and pass on the results."""
        self._look_ahead.end(self._monotonic())
        self._count(report)
        effective = self._clock() + self._command_delay()
        with self._lock:
            if not self._reset_wanted:
                self._newest = report
                self._schedule(report, begun.stamp, effective / NANOSECONDS)
        self._latency = begun.start - begun.stamp
        self._counts["late_plans"] += begun.compensated and effective >= begun.start
        # judging transitions takes time that the control timer does not have
        self._record(self._follower.history.pop_transitions())
        self._outputs.show(report)

    def _identify(self, identification: Identification) -> None:
        """On a thread of its own, while plans go on."""
        assert self._fitting is not None
        self._fitting.submit(identification.take())

    def _fit(self, pairs: Pairs) -> None:
        assert self._identification is not None
        errors = self._identification.fit(pairs)
        with self._lock:
            self._fitted = errors

    def _apply_changes(self) -> None:
        """As every controller's, and a model that has been fitted."""
        with self._lock:
            fitted, self._fitted = self._fitted, None
        if fitted is not None:
            self._planner.use_model(fitted)
            self._follower.use_model(fitted)
        super()._apply_changes()

    def _schedule(self, report: PlanReport, stamp: int, now: float) -> None:
        """Let a plan act from its start on; without a valid rollout, the last valid plan stays in force."""
        schedule = self._follower.schedule
        if report.usable:
            schedule.add(report.plan, stamp, now)
        elif why_unfollowed(schedule.at(now), now):
            self._planner.reset()  # the old plan as warm start may be why all diverge

    def _start_episode(self) -> None:
        super()._start_episode()
        self._look_ahead.interrupt()

    def _forget_plans(self) -> None:
        with self._lock:
            super()._forget_plans()
            self._follower.schedule.clear()
