"""Control in lockstep: each state is answered with one command, however long planning takes."""

import time

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.controller import Controller
from polo_ros.control.state import Snapshot


class LockstepController(Controller):
    """Answers each state with a command; the answer is sent again where the state comes again."""

    def add_goal(self, position: Array, quaternion: Array, stamp: int) -> bool:
        """Take a goal, which is a part of the state here; whether the state is whole now."""
        super().add_goal(position, quaternion, stamp)
        return self._on_part()

    def _on_state(self, snapshot: Snapshot) -> None:
        if self._why_safe():
            self._send_safe_action(snapshot)
        else:
            self._worker.submit((snapshot, time.monotonic_ns()))

    def _on_repeated_state(self) -> None:
        """The simulator asks again, since the answer may be lost."""
        if self._last_sent is not None:
            self._outputs.send(*self._last_sent)

    def _why_safe(self) -> str:
        return self._gate.reason(None, self._states.missing())

    def _plan(self, snapshot: Snapshot, received: int) -> None:
        now = snapshot.stamp / NANOSECONDS
        report = self._planner.plan(snapshot.state, now)
        self._count(report)
        with self._lock:
            if not self._reset_wanted:
                self._newest = report
        if self._why_safe():  # stopped or disabled while this was planned
            self._send_safe_action(snapshot)
        else:
            ctrl = self._gate.limit(self._planner.control(report.plan, now), now)
            self._send(ctrl, snapshot.stamp)
            # the reward is that of the control really sent: the gate may have limited the plan's
            view = report.view if np.array_equal(ctrl, report.view.ctrl) else None
            self._outputs.record([Transition(snapshot, self._episode, ctrl, view)])
        self._outputs.show(report)
