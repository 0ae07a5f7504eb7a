"""Following plans by the clock: what is commanded when, and where that leads."""

from collections.abc import Callable
from copy import copy

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import CommandHistory
from polo_ros.control.prediction import Predictor
from polo_ros.control.safety import SafetyGate
from polo_ros.control.schedule import Schedule, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.planner import Plan, Planner


class PlanFollower:
    """Samples plans through the safety gate and predicts states under what the gate lets through.

    Args:
      planner: whose plans they are.
      gate: limits the plans' controls, and gives the safe action where no plan acts.
      velocities: gives the robot's newest velocities, (nv,).
      period: of control, in ns.

    Attributes:
      schedule: which plan acts when.
      history: the commands that were sent.
    """

    def __init__(
        self, planner: Planner, gate: SafetyGate, velocities: Callable[[], Array], period: int
    ) -> None:
        self.schedule = Schedule()
        self.history = CommandHistory(period)
        self._planner = planner
        self._gate = gate
        self._velocities = velocities
        self._predictor = Predictor(planner.task)

    def command(self, plan: Plan | None, time: float) -> Array:
        """The control (nu,) to send at a time in s: a plan's or, without one, the safe action's."""
        return self._through(self._gate, plan, time)

    def predict(self, snapshot: Snapshot, periods: int) -> Array:
        """The state (state_size,) some control periods later, under commands sent and then planned."""
        gate = copy(self._gate)  # the ramp of the gate itself must not begin with a prediction

        def control(time: float) -> Array:
            sent = self.history.acting(round(time * NANOSECONDS))
            if sent is not None:
                return sent
            acting = self.schedule.at(time)
            plan = acting.plan if acting and not why_unfollowed(acting, time) else None
            return self._through(gate, plan, time)

        return self._predictor.predict(snapshot.state, snapshot.stamp / NANOSECONDS, periods, control)

    def _through(self, gate: SafetyGate, plan: Plan | None, time: float) -> Array:
        wanted = None if plan is None else self._planner.control(plan, time)
        return gate.command(wanted, time, self._velocities())
