"""States that are stamped ahead of the planner's clock, as by a driver whose clock is wrong."""

import numpy as np

from polo_ros.control.command_limits import Measured
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.safety import SafetyGate
from polo_ros.tasks import Task


def test_a_state_from_the_future_is_as_stale_as_one_from_the_past(cartpole: Task) -> None:
    gate = SafetyGate(cartpole, JointMapping(cartpole.model), True, SafetyParameters(state_timeout=0.1))
    assert gate.why_stale(-0.05) == ""  # a clock message may come later than the state of its moment
    why = gate.why_stale(-1.0)
    assert why == (
        "the state is stamped 1.000 s ahead of the clock, more than 0.100 s; synchronise the clocks"
    )
    assert gate.reason(why, []) == why
    command = gate.command(np.ones(1), 0.0, Measured(np.zeros(2), np.zeros(2), fresh=not why))
    assert command is not None and not command.planned and not command.ctrl.any()
