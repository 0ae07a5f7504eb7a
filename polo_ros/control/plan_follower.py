"""Following plans by the clock: what is commanded when, and where that leads."""

from copy import copy

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import CommandHistory
from polo_ros.control.command_limits import Measured
from polo_ros.control.prediction import Predictor
from polo_ros.control.safety import GatedCommand, SafetyGate
from polo_ros.control.schedule import Schedule, why_unfollowed
from polo_ros.control.state import Snapshot
from polo_ros.planner import Plan, Planner
from polo_ros.planner.models import ModelErrors


class PlanFollower:
    """Samples plans through the safety gate and predicts states under what the gate lets through.

    Args:
      planner: whose plans they are.
      gate: limits the plans' controls, and gives the safe action where no plan acts.
      period: of control, in ns.

    Attributes:
      schedule: which plan acts when.
      history: the commands that were sent.
    """

    def __init__(self, planner: Planner, gate: SafetyGate, period: int) -> None:
        self.schedule = Schedule()
        self.history = CommandHistory(period)
        self._planner = planner
        self._gate = gate
        self._period = period
        self._predictor = Predictor(planner.task)
        self._neutral = planner.task.neutral

    def use_model(self, errors: ModelErrors) -> None:
        """Predict with a model that differs from the task's from now on."""
        self._predictor.use_model(errors)

    def command(self, plan: Plan | None, time: float, measured: Measured) -> GatedCommand | None:
        """What the gate makes of a plan, or of None for the safe action, at a time in s."""
        wanted = None if plan is None else self._planner.control(plan, time)
        return self._gate.command(wanted, time, measured)

    def following(self, time: int, count: int, measured: Measured) -> Array:
        """What `command` will give in the control periods after a time in ns as plans are now, (n, nu).

        Each control passes the gate with its limits. They end with the plans, or after `count`.
        """
        gate = copy(self._gate)  # what is only expected must not count as commanded
        controls = []
        for index in range(1, count + 1):
            moment = (time + index * self._period) / NANOSECONDS
            acting = self.schedule.at(moment)
            if acting is None or why_unfollowed(acting, moment):
                break
            command = gate.command(self._planner.control(acting.plan, moment), moment, measured)
            if command is None or not command.planned:
                break
            controls.append(command.ctrl)
        return np.array(controls).reshape(-1, len(self._neutral))

    def predict(self, snapshot: Snapshot, periods: int, measured: Measured) -> Array:
        """The state (state_size,) some control periods later, under commands sent and then planned.

        What imu and joints have measured meanwhile replaces what is predicted for that moment.
        """
        gate = copy(self._gate)  # the ramp of the gate itself must not begin with a prediction

        def control(time: float) -> Array:
            sent = self.history.acting(round(time * NANOSECONDS))
            if sent is not None:
                return sent
            acting = self.schedule.at(time)
            followed = acting is not None and not why_unfollowed(acting, time)
            wanted = self._planner.control(acting.plan, time) if acting and followed else None
            command = gate.command(wanted, time, measured)
            return self._neutral if command is None else command.ctrl

        def predict(state: Array, begun: int, count: int) -> Array:
            start = snapshot.stamp / NANOSECONDS + begun * self._planner.task.timestep
            return self._predictor.predict(state, start, count, control)

        ahead, later = min(snapshot.ahead, periods), snapshot.later
        state = predict(snapshot.state, 0, ahead)
        if later is not None and ahead == snapshot.ahead:
            state = np.where(np.isnan(later), state, later)
        return predict(state, ahead, periods - ahead)
