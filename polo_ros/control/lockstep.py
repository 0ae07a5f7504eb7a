"""Control in lockstep: each state is answered with one command, however long planning takes."""

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.controller import Controller
from polo_ros.control.identification import Identification
from polo_ros.control.safety import GatedCommand
from polo_ros.control.schedule import Scheduled, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.planner import PlanReport


class LockstepController(Controller):
    """Answers each state with a command; the answer is sent again where the state comes again.

    A planner that has not been enabled yet is silent here, too, and the world stands still, unless
    `safety.disabled_action` says otherwise.
    """

    # the last plan with a valid rollout, and the stamp of the newest state that a plan is made for
    _good: Scheduled | None = None
    _planned_for: int | None = None

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> bool:
        """Take a goal, which is a part of the state here; whether the state is whole now."""
        super().add_goal(position, quaternion, stamp)
        return self._on_part()

    def add_velocity_goal(self, velocity: Array, stamp: int) -> bool:
        """Take a velocity goal, which is a part of the state here; whether the state is whole now."""
        super().add_velocity_goal(velocity, stamp)
        return self._on_part()

    def _on_state(self, snapshot: Snapshot) -> None:
        with self._lock:
            if self._why_gated(snapshot.stamp):
                self._answer(snapshot, None)
            else:
                self._submit(snapshot)

    def _on_repeated_state(self) -> None:
        """The simulator asks again: the answer may be lost, or nothing was answered before enabling."""
        assert self._latest is not None
        with self._lock:
            answered = self._last_sent is not None and self._last_sent[1] == self._latest.stamp
            if answered or self._why_gated(self._latest.stamp):
                # chosen again, which gives the same unless the gate has closed or its parameters changed
                self._answer(self._latest, self._good)
            elif self._planned_for != self._latest.stamp:
                self._submit(self._latest)

    def _submit(self, snapshot: Snapshot) -> None:
        self._planned_for = snapshot.stamp
        self._worker.submit((snapshot, self._monotonic()))

    def _why_stale(self, now: int) -> str:
        return ""

    def _why_unfollowed(self) -> str:
        if self._newest is None or self._latest is None:
            return ""  # the first plan is being made
        return why_unfollowed(self._good, self._latest.stamp / NANOSECONDS)

    def _plan(self, snapshot: Snapshot, received: int) -> None:
        now = snapshot.stamp / NANOSECONDS
        report = self._planner.plan(snapshot.state, now)
        self._count(report)
        answer = None
        with self._lock:  # an e-stop waits until the command is out, or comes before it is chosen
            if self._reset_wanted:  # plans were discarded while this one was made
                assert self._latest is not None
                self._submit(self._latest)
            else:
                self._newest = report
                if report.usable:
                    self._good = Scheduled(report.plan, snapshot.stamp)
                elif why_unfollowed(self._good, now):
                    self._planner.reset()  # the old plan as warm start may be why all diverge
                answer = self._answer(snapshot, self._good)
                # blocked meanwhile: plan again once the simulator asks again
                if answer is None and self._planned_for == snapshot.stamp:
                    self._planned_for = None
        if answer is not None and answer.planned:
            self._record([self._transition(snapshot, answer.ctrl, report)])
        self._outputs.show(report)

    def _identify(self, identification: Identification) -> None:
        """At once, while the world waits: the same plans each time."""
        self._planner.use_model(identification.fit(identification.take()))

    def _answer(self, snapshot: Snapshot, good: Scheduled | None) -> GatedCommand | None:
        """Send what the gate makes of a plan, or of the safe action where there is none to follow."""
        now = snapshot.stamp / NANOSECONDS
        gated = self._why_gated(snapshot.stamp)
        followed = good is not None and not gated and not why_unfollowed(good, now)
        wanted = self._planner.control(good.plan, now) if good and followed else None
        command = self._gate.command(wanted, now, self._measure(stale=""))
        if command is not None:
            self._send(command.ctrl, snapshot.stamp)
        return command

    def _transition(self, snapshot: Snapshot, ctrl: Array, report: PlanReport) -> Transition:
        """The transition from a state; its reward is that of the control that was sent."""
        view = report.view if np.array_equal(ctrl, report.view.ctrl) else None
        return Transition(snapshot, self._episode, ctrl, view)

    def _forget_plans(self) -> None:
        with self._lock:
            super()._forget_plans()
            self._good = self._last_sent = self._planned_for = None
