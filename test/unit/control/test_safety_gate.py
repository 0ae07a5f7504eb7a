"""When the planner may command, how strongly, and what the safe actions are."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.faults.robots import make_arm
from polo_ros.arrays import Array
from polo_ros.control.command_limits import Measured, hold_warning
from polo_ros.control.config import PlannerNodeConfig, SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.safety import GateState, SafetyGate
from polo_ros.tasks import Task


@pytest.fixture
def gate(cartpole: Task) -> SafetyGate:
    return SafetyGate(cartpole, JointMapping(cartpole.model), True, SafetyParameters(state_timeout=0.1))


@pytest.fixture
def servos() -> SafetyGate:
    """The gate of an arm whose shoulder is a servo of gear 2 and whose elbow is a motor, never enabled."""
    arm = make_arm("motor")
    return SafetyGate(arm, JointMapping(arm.model), False, SafetyParameters())


MOVING = Measured(np.array([0.3, 0.2]), np.array([1.0, 7.0]), fresh=True)


def follow(gate: SafetyGate, ctrl: list[float], time: float, measured: Measured = MOVING) -> list[float]:
    """The command for a plan's control."""
    command = gate.command(np.array(ctrl), time, measured)
    assert command is not None and command.planned
    return [float(value) for value in command.ctrl]


def rest(gate: SafetyGate, time: float = 0.0, measured: Measured = MOVING) -> list[float] | None:
    """The safe action's command."""
    command = gate.command(None, time, measured)
    assert command is None or not command.planned
    return None if command is None else [float(value) for value in command.ctrl]


def change(gate: SafetyGate, **values: float | str) -> None:
    """Replace the gate's parameters."""
    gate.parameters = replace(gate.parameters, **values)  # type: ignore[arg-type]


def test_an_enabled_gate_with_a_fresh_whole_state_is_open(gate: SafetyGate) -> None:
    assert gate.why_stale(0.05) == ""
    assert gate.reason("", []) == ""


def test_the_reason_says_what_is_wrong(gate: SafetyGate) -> None:
    assert "joint_states, odom" in gate.reason("", ["joint_states", "odom"])
    assert gate.why_stale(0.25) == "the state is 0.250 s old, more than 0.100 s"
    assert gate.reason(gate.why_stale(0.25), []) == gate.why_stale(0.25)
    gate.enable(False)
    assert gate.reason("", []) == "not enabled; call ~/enable"
    gate.e_stop(True)
    assert gate.reason("", []) == "e-stop pressed"


def test_after_an_e_stop_only_enabling_opens_the_gate(gate: SafetyGate) -> None:
    gate.e_stop(True)
    assert gate.enable(True) == (False, "the e-stop is pressed; release it, then enable")
    gate.e_stop(False)
    assert gate.reason("", []) == "not enabled; call ~/enable"
    assert gate.enable(True) == (True, "enabled")
    assert gate.reason("", []) == ""


def test_disabling_works_while_the_e_stop_is_pressed(gate: SafetyGate) -> None:
    gate.e_stop(True)
    assert gate.enable(False) == (True, "disabled")


@pytest.mark.parametrize(("ctrl", "limited"), [(2.0, 0.3), (-2.0, -0.3), (0.1, 0.1)])
def test_efforts_are_clamped_to_their_share_of_the_range(
    gate: SafetyGate, ctrl: float, limited: float
) -> None:
    change(gate, max_effort_scale=0.3)
    np.testing.assert_allclose(follow(gate, [ctrl], 0.0), [limited])


def test_efforts_are_ramped_in_after_enabling(gate: SafetyGate) -> None:
    change(gate, ramp_time=2.0)

    def limits(*times: float) -> list[float]:
        return [follow(gate, [1.0], now)[0] for now in times]

    assert limits(10.0, 10.5, 11.0, 12.0, 15.0) == [0.0, 0.25, 0.5, 1.0, 1.0]
    gate.enable(False)
    gate.enable(True)
    assert limits(20.0, 21.0) == [0.0, 0.5]
    rest(gate)
    assert limits(30.0, 31.0) == [0.0, 0.5]
    assert limits(1.0, 2.0) == [0.0, 0.5]  # time jumped back


def test_enabling_an_enabled_gate_does_not_begin_the_ramp_again(gate: SafetyGate) -> None:
    change(gate, ramp_time=2.0)
    follow(gate, [1.0], 0.0)
    gate.enable(True)
    np.testing.assert_allclose(follow(gate, [1.0], 2.0), [1.0])


# ---- the safe action of efforts


def test_efforts_are_zero_or_braked_and_never_held(gate: SafetyGate) -> None:
    assert rest(gate) == [0.0]
    change(gate, safe_action="damping", damping=5.0)
    assert rest(gate) == [-0.5]  # 5 N·s/m times 1 m/s over the slider's gear of 10
    change(gate, safe_action="hold")
    follow(gate, [0.7], 0.0)
    assert rest(gate) == [-0.5]
    fast = replace(MOVING, qvel=100.0 * MOVING.qvel)
    assert rest(gate, measured=fast) == [-1.0]
    change(gate, max_effort_scale=0.25)
    assert rest(gate, measured=fast) == [-0.25]


@pytest.mark.parametrize("action", ["damping", "hold"])
def test_a_brake_needs_a_recent_velocity(gate: SafetyGate, action: str) -> None:
    """A brake against the last velocity before a driver died is a held effort."""
    change(gate, safe_action=action)
    assert rest(gate, measured=replace(MOVING, fresh=False)) == [0.0]
    assert rest(gate, measured=replace(MOVING, qvel=np.array([np.nan, 0.0]))) == [0.0]


@pytest.mark.parametrize("action", ["zero", "damping", "hold"])
def test_a_robot_is_left_without_effort(gate: SafetyGate, action: str) -> None:
    change(gate, safe_action=action)
    follow(gate, [0.7], 0.0)
    final = gate.final_command(MOVING)
    assert final is not None and list(final) == [0.0]


def test_hold_is_explained_where_there_are_efforts(cartpole: Task) -> None:
    for task in (cartpole, make_arm("motor")):
        assert hold_warning(JointMapping(task.model), "hold", "safety.action") == (
            "safety.action is hold, but an effort that is held pushes for ever: efforts are damped instead"
        )
        assert hold_warning(JointMapping(task.model), "damping", "safety.action") == ""
    assert hold_warning(JointMapping(make_arm("servo").model), "hold", "safety.action") == ""


# ---- servos


def test_before_the_first_enabling_nothing_is_commanded(servos: SafetyGate) -> None:
    assert servos.state is GateState.NEVER_ENABLED
    assert rest(servos) is None
    assert servos.command(np.ones(2), 0.0, MOVING) is None
    assert servos.final_command(MOVING) is None
    servos.e_stop(True)
    assert rest(servos) is None
    servos.e_stop(False)
    assert servos.state is GateState.NEVER_ENABLED


def test_a_disabled_gate_may_hold_servos_where_they_are(servos: SafetyGate) -> None:
    change(servos, disabled_action="hold_measured", safe_action="damping")
    assert rest(servos) == [0.6, 0.0]  # 0.3 rad at a gear of 2; the motor without effort
    pushed = replace(MOVING, qpos=np.array([0.1, 0.2]))
    assert rest(servos, 1.0, pushed) == [0.6, 0.0]
    change(servos, disabled_action="silent")
    assert rest(servos, 2.0, pushed) is None


@pytest.mark.parametrize("action", ["zero", "damping", "hold"])
def test_servos_hold_their_last_command_or_the_measured_position(servos: SafetyGate, action: str) -> None:
    servos.enable(True)
    change(servos, safe_action=action)
    held = rest(servos)
    assert held is not None and held[0] == 0.6
    follow(servos, [-0.4, 0.9], 1.0)
    servos.enable(False)
    held = rest(servos, 2.0)
    assert held is not None and held[0] == -0.4 and held[1] <= 0.0


def test_a_servo_is_not_sent_to_an_old_or_unknown_position(servos: SafetyGate) -> None:
    servos.enable(True)
    assert rest(servos, measured=replace(MOVING, fresh=False)) is None
    assert rest(servos, measured=replace(MOVING, qpos=np.array([np.nan, 0.0]))) is None


def test_the_ramp_leads_servos_from_the_measured_position_to_the_plan(servos: SafetyGate) -> None:
    change(servos, ramp_time=2.0)
    assert servos.enable(True) == (True, "enabled")
    found = [follow(servos, [-1.0, 1.0], time) for time in (5.0, 5.5, 6.0, 7.0, 8.0)]
    np.testing.assert_allclose(found, [[0.6, 0.0], [0.2, 0.25], [-0.2, 0.5], [-1.0, 1.0], [-1.0, 1.0]])


def test_the_rate_limits_servos_from_the_measured_position_on(servos: SafetyGate) -> None:
    change(servos, max_rate=2.0)
    servos.enable(True)
    # 2 rad/s for periods of 0.02 s at a gear of 2; however late a command is, it leads no further
    found = [follow(servos, [-1.0, 1.0], time)[0] for time in (5.0, 5.02, 5.03, 9.0, 8.0)]
    np.testing.assert_allclose(found, [0.6, 0.52, 0.48, 0.4, 0.4])
    assert follow(servos, [0.39, 0.0], 8.02)[0] == 0.39


def test_enabling_says_where_nothing_slows_the_first_motion(servos: SafetyGate) -> None:
    assert servos.enable(True) == (
        True, "enabled; servos follow the plan at once: safety.ramp_time and safety.max_rate are 0",
    )  # fmt: skip


def test_after_an_e_stop_servos_hold_where_they_are_found(servos: SafetyGate) -> None:
    """Their power may have been off meanwhile."""
    servos.enable(True)
    follow(servos, [-1.0, 0.5], 0.0)
    servos.e_stop(True)
    assert rest(servos, 1.0) == [-1.0, 0.0]
    servos.e_stop(False)
    assert rest(servos, 2.0) == [0.6, 0.0]
    assert servos.command(np.ones(2), 3.0, MOVING) is not None
    assert rest(servos, 3.0) == [0.6, 0.0]


def test_servos_may_go_slowly_to_the_neutral_pose_while_enabled(servos: SafetyGate) -> None:
    change(servos, neutral_rate=0.5)
    servos.enable(True)
    found = [(rest(servos, time) or [np.nan])[0] for time in (0.0, 0.02, 0.04)]
    np.testing.assert_allclose(found, [0.6, 0.58, 0.56])  # 0.5 rad/s at a gear of 2
    assert rest(servos, 0.06, replace(MOVING, fresh=False)) == [found[-1], 0.0]
    servos.enable(False)
    assert rest(servos, 0.08) == [found[-1], 0.0]
    servos.enable(True)
    for time in np.arange(0.1, 2.0, 0.02):
        found.append((rest(servos, time) or [np.nan])[0])
    assert found[-1] == 0.0


# ---- all together


@pytest.mark.parametrize("ctrl", [np.nan, np.inf])
def test_a_plan_that_is_not_finite_is_not_followed(gate: SafetyGate, ctrl: float) -> None:
    command = gate.command(np.array([ctrl]), 0.0, MOVING)
    assert command is not None and not command.planned and list(command.ctrl) == [0.0]


@pytest.mark.parametrize("why", ["disabled", "e-stop", "stale"])
def test_the_gate_itself_follows_no_plan_unless_all_permits_it(gate: SafetyGate, why: str) -> None:
    if why == "disabled":
        gate.enable(False)
    elif why == "e-stop":
        gate.e_stop(True)
    wanted: Array = np.array([0.7])
    command = gate.command(wanted, 0.0, replace(MOVING, fresh=why != "stale"))
    assert command is not None and not command.planned and list(command.ctrl) == [0.0]


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
        state_timeout=0.2, silence_timeout=2.0, max_effort_scale=0.3, ramp_time=0.4, max_rate=0.5,
        safe_action="hold", damping=6.0, neutral_rate=0.7, disabled_action="hold_measured",
    )  # fmt: skip
    assert config.safety == SafetyParameters(
        state_timeout=0.2, silence_timeout=2.0, max_effort_scale=0.3, ramp_time=0.4, max_rate=0.5,
        safe_action="hold", damping=6.0, neutral_rate=0.7, disabled_action="hold_measured",
    )  # fmt: skip
    assert PlannerNodeConfig().safety == SafetyParameters()
