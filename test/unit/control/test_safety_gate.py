"""When the planner may command, how strongly, and what the safe actions are."""

from dataclasses import replace

import numpy as np
import pytest

from polo_ros.control.config import PlannerNodeConfig, SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.safety import GateState, SafetyGate
from polo_ros.tasks import Task


@pytest.fixture
def gate(cartpole: Task) -> SafetyGate:
    return SafetyGate(cartpole, JointMapping(cartpole.model), True, SafetyParameters(state_timeout=0.1))


def change(gate: SafetyGate, **values: float | str) -> None:
    """Replace the gate's parameters."""
    gate.parameters = replace(gate.parameters, **values)  # type: ignore[arg-type]


def test_an_enabled_gate_with_a_fresh_whole_state_is_open(gate: SafetyGate) -> None:
    assert gate.reason(0.05, []) == ""
    assert gate.reason(None, []) == ""


def test_the_reason_says_what_is_wrong(gate: SafetyGate) -> None:
    assert "joint_states, odom" in gate.reason(None, ["joint_states", "odom"])
    assert gate.reason(0.25, []) == "the state is 0.250 s old, more than 0.100 s"
    gate.enable(False)
    assert gate.reason(0.0, []) == "not enabled; call ~/enable"
    gate.e_stop(True)
    assert gate.reason(0.0, []) == "e-stop pressed"


def test_after_an_e_stop_only_enabling_opens_the_gate(gate: SafetyGate) -> None:
    gate.e_stop(True)
    assert gate.enable(True) == (False, "the e-stop is pressed; release it, then enable")
    gate.e_stop(False)
    assert gate.reason(0.0, []) == "not enabled; call ~/enable"
    assert gate.enable(True) == (True, "enabled")
    assert gate.reason(0.0, []) == ""


def test_disabling_works_while_the_e_stop_is_pressed(gate: SafetyGate) -> None:
    gate.e_stop(True)
    assert gate.enable(False) == (True, "disabled")


@pytest.mark.parametrize(("ctrl", "limited"), [(2.0, 0.3), (-2.0, -0.3), (0.1, 0.1)])
def test_controls_are_clamped_to_their_share_of_the_range(
    gate: SafetyGate, ctrl: float, limited: float
) -> None:
    change(gate, max_effort_scale=0.3)
    np.testing.assert_allclose(gate.limit(np.array([ctrl]), 0.0), [limited])


def test_controls_are_ramped_in_after_enabling(gate: SafetyGate) -> None:
    change(gate, ramp_time=2.0)

    def limits(*times: float) -> list[float]:
        return [float(gate.limit(np.ones(1), now)[0]) for now in times]

    assert limits(10.0, 10.5, 11.0, 12.0, 15.0) == [0.0, 0.25, 0.5, 1.0, 1.0]
    gate.enable(False)
    gate.enable(True)
    assert limits(20.0, 21.0) == [0.0, 0.5]
    gate.safe_ctrl(np.zeros(2))
    assert limits(30.0, 31.0) == [0.0, 0.5]
    assert limits(1.0, 2.0) == [0.0, 0.5]  # time jumped back


def test_enabling_again_does_not_begin_the_ramp_again(gate: SafetyGate) -> None:
    change(gate, ramp_time=2.0)
    gate.limit(np.ones(1), 0.0)
    gate.enable(True)
    np.testing.assert_allclose(gate.limit(np.ones(1), 2.0), [1.0])


def test_the_safe_actions(gate: SafetyGate) -> None:
    qvel = np.array([1.0, 7.0])  # of slider and hinge; the slider's gear is 10
    assert list(gate.safe_ctrl(qvel)) == [0.0]
    change(gate, safe_action="damping", damping=5.0)
    np.testing.assert_allclose(gate.safe_ctrl(qvel), [-0.5])
    np.testing.assert_allclose(gate.safe_ctrl(100.0 * qvel), [-1.0])
    change(gate, safe_action="hold", max_effort_scale=0.5)
    assert list(gate.safe_ctrl(qvel)) == [0.0]  # nothing to hold yet
    gate.limit(np.array([0.7]), 0.0)
    assert list(gate.safe_ctrl(qvel)) == [0.5]


def test_a_command_is_the_plans_within_limits_or_the_safe_action(gate: SafetyGate) -> None:
    change(gate, max_effort_scale=0.5)
    assert list(gate.command(np.array([0.7]), 0.0, np.zeros(2))) == [0.5]
    assert list(gate.command(None, 0.0, np.zeros(2))) == [0.0]


def test_the_gates_states(gate: SafetyGate) -> None:
    assert gate.state is GateState.ENABLED
    gate.e_stop(False)  # a driver repeats that it is released
    assert gate.state is GateState.ENABLED
    gate.enable(False)
    assert gate.state is GateState.DISABLED
    gate.e_stop(True)
    gate.enable(False)
    assert gate.state is GateState.E_STOPPED
    gate.e_stop(False)
    assert gate.state is GateState.DISABLED


def test_the_gates_parameters_are_the_nodes() -> None:
    config = PlannerNodeConfig(
        state_timeout=0.2, max_effort_scale=0.3, ramp_time=0.4, safe_action="hold", damping=6.0
    )
    assert config.safety == SafetyParameters(0.2, 0.3, 0.4, "hold", 6.0)
    assert PlannerNodeConfig().safety == SafetyParameters()
