"""What is commanded at which time, now and foreseen; knows no ROS."""

from collections.abc import Callable
from copy import copy

from polo_ros.arrays import Array
from polo_ros.control.command_history import CommandHistory
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.prediction import Predictor
from polo_ros.control.safety import SafetyGate
from polo_ros.control.schedule import Schedule, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.planner import Plan, Planner


class Commander:
    """Passes plans through the safety gate, and foresees states under what that let and will let through.

    Args:
      planner: whose plans they are.
      gate: limits them, and acts where there is none.
      velocities: gives the robot's newest ones, (nv,), which the damping action needs.
      settings: of the safety.

    Attributes:
      settings: may be replaced at any time.
      schedule: the plans that act and will act.
      history: the commands that were sent.
    """

    def __init__(
        self, planner: Planner, gate: SafetyGate, velocities: Callable[[], Array], settings: PlannerNodeConfig
    ) -> None:
        self.settings = settings
        self.schedule = Schedule()
        self.history = CommandHistory(round(1e9 / settings.control_rate))
        self._planner = planner
        self._gate = gate
        self._velocities = velocities
        self._predictor = Predictor(planner.task)

    def ctrl(self, plan: Plan | None, time: float) -> Array:
        """The control (nu,) to send at a time in s: a plan's or, without one, the safe action's."""
        return self._through(self._gate, plan, time)

    def predict(self, snapshot: Snapshot, periods: int) -> Array:
        """The state (state_size,) some control periods later, under commands sent and then promised."""
        gate = copy(self._gate)  # asked what it will let through, the gate itself must not move

        def control(time: float) -> Array:
            sent = self.history.acting(round(time * 1e9))
            if sent is not None:
                return sent
            acting = self.schedule.at(time)
            plan = acting.plan if acting and not why_unfollowed(acting, time) else None
            return self._through(gate, plan, time)

        return self._predictor.predict(snapshot.state, snapshot.stamp / 1e9, periods, control)

    def _through(self, gate: SafetyGate, plan: Plan | None, time: float) -> Array:
        settings = self.settings
        if plan is None:
            return gate.safe_ctrl(settings.safe_action, settings.damping, self._velocities())
        ctrl = self._planner.control(plan, time)
        return gate.limit(ctrl, time, settings.max_effort_scale, settings.ramp_time)
