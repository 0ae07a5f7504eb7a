"""The state in which a plan will begin, from what has been sent and what is planned."""

import mujoco
import numpy as np
import pytest

from polo_ros.control.command_history import Command
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.prediction import Predictor
from polo_ros.control.safety import SafetyGate
from polo_ros.control.state import Snapshot
from polo_ros.planner import Plan, Planner, PlannerConfig
from polo_ros.tasks import Task
from polo_ros.tasks.state import set_state

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


def plan(start: float, ctrl: float, sequence: int = 0) -> Plan:
    """The same control for 0.1 s."""
    return Plan(start, 0.05, np.full((3, 1), ctrl), "linear", sequence)


def acted(task: Task, state: np.ndarray, controls: list[float]) -> np.ndarray:
    """Where some controls, one a period, lead."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, state)
    for ctrl in controls:
        data.ctrl[:] = ctrl
        mujoco.mj_step(task.model, data, task.substeps)
    return task.state_of(data)


def follower(task: Task, **safety: float) -> tuple[PlanFollower, SafetyGate]:
    parameters = SafetyParameters(**safety)  # type: ignore[arg-type]
    gate = SafetyGate(task, JointMapping(task.model), True, parameters)
    planner = Planner(task, PlannerConfig(), threads=1)
    return PlanFollower(planner, gate, PERIOD), gate


def at_rest(task: Task) -> Measured:
    return Measured(np.zeros(task.model.nq), np.zeros(task.model.nv), fresh=True)


def commanded(following: PlanFollower, task: Task, followed: Plan, time: float) -> float:
    command = following.command(followed, time, at_rest(task))
    assert command is not None and command.planned
    return float(command.ctrl[0])


def test_a_prediction_takes_each_control_at_its_time(cartpole: Task) -> None:
    state = cartpole.start_state(np.random.default_rng(0))
    asked: list[float] = []

    def control(time: float) -> np.ndarray:
        asked.append(time)
        return np.array([0.1 * len(asked)])

    found = Predictor(cartpole).predict(state, 3.0, 4, control)
    np.testing.assert_allclose(asked, [3.0, 3.02, 3.04, 3.06])
    np.testing.assert_array_equal(found, acted(cartpole, state, [0.1 * count for count in (1, 2, 3, 4)]))
    np.testing.assert_array_equal(Predictor(cartpole).predict(state, 3.0, 0, control), state)


def test_prediction_uses_sent_commands_and_then_planned_ones_within_the_gates_limits(cartpole: Task) -> None:
    following, _ = follower(cartpole, max_effort_scale=0.5)
    state = cartpole.start_state(np.random.default_rng(0))
    # a plan that came after the two commands, and one that starts within the predicted span
    following.schedule.add(plan(0.0, 0.3), 0, now=0.0)
    following.schedule.add(plan(0.06, 0.9), 0, now=0.0)
    for time, ctrl in ((0, -0.2), (20 * MS, -0.4)):
        following.history.add_command(Command(time, np.array([ctrl]), planned=True))
    found = following.predict(Snapshot(state, 0), 5, at_rest(cartpole))
    expected = acted(cartpole, state, [-0.2, -0.4, 0.3, 0.5, 0.5])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_prediction_includes_the_ramp_and_does_not_change_the_gate(cartpole: Task) -> None:
    following, gate = follower(cartpole, ramp_time=0.08)
    state = cartpole.start_state(np.random.default_rng(0))
    following.schedule.add(plan(0.0, 1.0), 0, now=0.0)
    before = dict(vars(gate))
    found = following.predict(Snapshot(state, 0), 4, at_rest(cartpole))
    np.testing.assert_allclose(found, acted(cartpole, state, [0.0, 0.25, 0.5, 0.75]), rtol=0, atol=1e-12)
    assert vars(gate) == before
    assert commanded(following, cartpole, plan(0.0, 1.0), 0.0) == 0.0
    assert commanded(following, cartpole, plan(0.0, 1.0), 0.04) == pytest.approx(0.5)


def test_prediction_uses_the_safe_action_where_no_plan_acts(cartpole: Task) -> None:
    following, _ = follower(cartpole)
    state = cartpole.start_state(np.random.default_rng(0))
    following.schedule.add(plan(0.04, 0.6), 0, now=0.0)
    found = following.predict(Snapshot(state, 0), 9, at_rest(cartpole))
    expected = acted(cartpole, state, [0.0, 0.0, *[0.6] * 6, 0.0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
