"""Planning while the robot moves, without ROS and without clocks: schedule, prediction, command history."""

import math
import os

import mujoco
import numpy as np
import pytest

from polo_ros.control.command_history import Command, CommandHistory
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import PlannerNodeConfig, SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.latency import LatencyEstimate
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.prediction import Predictor
from polo_ros.control.safety import SafetyGate
from polo_ros.control.schedule import NO_PLAN, RUN_OUT, Schedule, why_unfollowed
from polo_ros.control.simulated_clock import MAX_CATCH_UP_PERIODS, MAX_WAIT_NS, SimulatedClock
from polo_ros.control.state import Snapshot
from polo_ros.planner import Plan, Planner, PlannerConfig
from polo_ros.tasks import Task
from polo_ros.tasks.state import set_state

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


def plan(start: float, ctrl: float, sequence: int = 0) -> Plan:
    """The same control for 0.1 s."""
    return Plan(start, 0.05, np.full((3, 1), ctrl), "linear", sequence)


# ---- schedule


def test_a_plan_that_comes_early_waits_for_its_start() -> None:
    schedule = Schedule()
    first, second = plan(1.0, 0.1), plan(1.06, 0.2)
    schedule.add(first, 0, now=1.0)
    schedule.add(second, 1, now=1.02)
    acting = [schedule.at(time) for time in (0.98, 1.0, 1.04, 1.06, 1.2)]
    assert [each and each.plan for each in acting] == [None, first, first, second, second]
    assert [each and each.stamp for each in acting] == [None, 0, 0, 1, 1]


def test_plans_made_faster_than_they_start_all_act() -> None:
    schedule = Schedule()
    plans = [plan(1.0 + 0.02 * index, 0.1, index) for index in range(200)]
    for index, each in enumerate(plans):
        schedule.add(each, index, now=each.start - 0.1)
    acting = [schedule.at(each.start) for each in plans[-50:]]
    assert [each and each.plan.sequence for each in acting] == list(range(150, 200))


def test_a_newer_plan_takes_the_place_of_those_that_would_start_later() -> None:
    schedule = Schedule()
    schedule.add(plan(1.0, 0.1, 1), 0, now=1.0)
    schedule.add(plan(1.2, 0.1, 2), 0, now=1.0)
    schedule.add(plan(1.1, 0.1, 3), 0, now=1.0)
    acting = [schedule.at(time) for time in (1.05, 1.1, 1.3)]
    assert [each and each.plan.sequence for each in acting] == [1, 3, 3]


def test_a_plan_that_comes_late_acts_at_once() -> None:
    schedule = Schedule()
    schedule.add(plan(1.0, 0.1, 1), 0, now=1.0)
    schedule.add(plan(1.02, 0.1, 2), 0, now=1.05)
    acting = schedule.at(1.05)
    assert acting is not None and acting.plan.sequence == 2


def test_why_there_is_no_plan_to_follow() -> None:
    schedule = Schedule()
    assert why_unfollowed(schedule.at(1.0), 1.0) == NO_PLAN
    schedule.add(plan(1.0, 0.1), 0, now=1.0)
    assert why_unfollowed(schedule.at(1.1), 1.1) == ""
    assert why_unfollowed(schedule.at(1.12), 1.12) == RUN_OUT
    schedule.clear()
    assert why_unfollowed(schedule.at(1.0), 1.0) == NO_PLAN


# ---- latency


def plans_take(ahead: LatencyEstimate, spans: list[int], ratio: float = 1.0, resolution: int = 1) -> None:
    """Plans one after another, each so many ns of monotonic time long."""
    wall = 0
    for span in spans:
        ahead.begin(wall, round(ratio * wall) // resolution * resolution)
        wall += span
        ahead.end(wall)


def test_the_second_plan_starts_later_by_what_the_first_one_took() -> None:
    ahead = LatencyEstimate(PERIOD)
    assert ahead.periods(age=0) == 0
    assert ahead.periods(age=5 * MS) == 1
    plans_take(ahead, [30 * MS])
    assert ahead.periods(age=0) == 2
    assert ahead.periods(age=15 * MS) == 3
    assert ahead.periods(age=-5 * MS) == 2


def test_nine_of_ten_plans_are_in_time_whatever_one_outlier_took() -> None:
    ahead = LatencyEstimate(PERIOD)
    plans_take(ahead, [10 * MS] * 14 + [35 * MS] * 5 + [400 * MS])
    assert ahead.periods(age=0) == 2


def test_old_planning_times_are_dropped_and_the_look_ahead_is_bounded() -> None:
    ahead = LatencyEstimate(PERIOD)
    plans_take(ahead, [2000 * MS] * 20)
    assert ahead.periods(age=0) == 25
    plans_take(ahead, [30 * MS] * 20)
    assert ahead.periods(age=0) == 2


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2.0])
def test_simulated_time_has_its_own_rate_and_advances_by_whole_periods(ratio: float) -> None:
    ahead = LatencyEstimate(PERIOD, resolution=PERIOD)
    span, waited = 36 * MS, 10 * MS
    plans_take(ahead, [span] * 21, ratio, resolution=PERIOD)
    # from twenty plans the ratio is known to one period, and never underestimated
    least = (waited + span) * ratio / PERIOD
    error = (waited + span) / (20 * span)
    assert least <= ahead.periods(age=0, waited=waited) <= math.ceil(least + error)
    assert ahead.periods(age=3 * PERIOD, waited=waited) >= 3 + span * ratio / PERIOD


def test_a_jump_or_a_pause_does_not_count_for_the_rate() -> None:
    ahead = LatencyEstimate(PERIOD)
    plans_take(ahead, [30 * MS] * 5)
    ahead.interrupt()
    ahead.begin(150 * MS, 900_000 * MS)
    ahead.end(180 * MS)
    assert ahead.periods(age=0) == 2
    ahead.begin(60_180 * MS, 900_001 * MS)
    ahead.end(60_210 * MS)
    assert ahead.periods(age=0) == 2


# ---- command history


def snapshot(stamp: int) -> Snapshot:
    return Snapshot(np.zeros(4), stamp)


def send(history: CommandHistory, time: int, ctrl: float, planned: bool = True) -> None:
    history.add_command(Command(time, np.array([ctrl]), planned))


def transitions(history: CommandHistory) -> list[tuple[int, int, float]]:
    """Stamp in ms, episode and control."""
    return [(each.snapshot.stamp // MS, each.episode, each.ctrl[0]) for each in history.pop_transitions()]


@pytest.mark.parametrize("tick_first", [True, False])
def test_a_state_is_paired_with_the_command_of_its_own_moment(tick_first: bool) -> None:
    history = CommandHistory(PERIOD)
    for index in range(4):
        for tick in (tick_first, not tick_first):
            if tick:
                send(history, index * PERIOD, 0.1 * index)
            else:
                history.add_state(snapshot(index * PERIOD), 7)
    assert transitions(history) == [(20 * index, 7, 0.1 * index) for index in range(3)]
    send(history, 4 * PERIOD, 0.4)
    assert transitions(history) == [(60, 7, 0.1 * 3)]


def test_commands_between_two_states_count_by_how_long_they_act() -> None:
    history = CommandHistory(PERIOD)
    send(history, 4 * MS, 0.1)
    send(history, 24 * MS, 0.2)
    history.add_state(snapshot(20 * MS), 0)  # 0.1 for 4 ms, then 0.2
    history.add_state(snapshot(36 * MS), 0)  # 0.2 for 8 ms, then 0.3
    send(history, 44 * MS, 0.3)
    send(history, 64 * MS, 0.4)
    assert transitions(history) == [(20, 0, 0.2), (36, 0, 0.3)]


def test_states_with_the_safe_action_are_no_experience() -> None:
    history = CommandHistory(PERIOD)
    history.add_state(snapshot(0), 0)  # before any command
    for index, planned in enumerate((False, True, False, True), start=1):
        history.add_state(snapshot(index * PERIOD), 0)
        send(history, index * PERIOD, 0.1 * index, planned)
    assert [stamp for stamp, _, _ in transitions(history)] == [40]


def test_states_more_frequent_than_commands_give_one_transition_a_period() -> None:
    history = CommandHistory(PERIOD)
    for time in range(0, 200 * MS, 2 * MS):
        history.add_state(snapshot(time), 0)
        send(history, time, 0.1)
    assert np.diff([stamp for stamp, _, _ in transitions(history)])[1:].tolist() == [20] * 8


def test_uneven_stamps_lose_no_state() -> None:
    history = CommandHistory(PERIOD)
    stamps = [index * PERIOD + (4 * MS if index % 3 else 0) for index in range(30)]
    for stamp in stamps:
        history.add_state(snapshot(stamp), 0)
        send(history, stamp, 0.1)
    assert len(transitions(history)) == len(stamps) - 1


def test_the_acting_command_is_known_until_the_next_one_is_due() -> None:
    history = CommandHistory(PERIOD)
    assert history.acting(0) is None
    for index in range(100):
        send(history, index * PERIOD, 0.01 * index)
    assert history.acting(99 * PERIOD) == 0.99
    assert history.acting(98 * PERIOD) == 0.98
    assert history.acting(100 * PERIOD) is None
    assert history.acting(0) == 0.01 * 49  # a second is kept
    history.clear()
    assert history.acting(99 * PERIOD) is None


# ---- prediction


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
        send(following.history, time, ctrl)
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


# ---- simulated clock


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_periods_begin_when_they_are_due_and_lateness_does_not_add_up(factor: float) -> None:
    clock, rng = SimulatedClock(PERIOD), np.random.default_rng(0)
    wall = began = 10**12
    simulated = 0
    assert clock.due(wall, simulated, factor) == 0
    while simulated < 100 * PERIOD:
        wall += clock.wait(wall, simulated)
        exact = (wall - began) * factor
        wall += int(rng.integers(0, 3 * MS))  # the timer goes off late
        stepped = clock.due(wall, simulated, factor)
        simulated += stepped * PERIOD
        assert simulated <= (wall - began) * factor + 2
        assert not stepped or simulated == pytest.approx(exact, abs=2 * factor + 1)


def test_periods_that_cannot_be_caught_up_are_dropped() -> None:
    clock = SimulatedClock(PERIOD)
    clock.due(0, 0, 1.0)
    assert clock.due(15 * PERIOD, 0, 1.0) == MAX_CATCH_UP_PERIODS
    assert clock.late == 15 - MAX_CATCH_UP_PERIODS
    assert clock.wait(15 * PERIOD, MAX_CATCH_UP_PERIODS * PERIOD) == PERIOD


def test_another_factor_or_a_restart_begins_a_new_schedule() -> None:
    clock = SimulatedClock(PERIOD)
    clock.due(0, 0, 1.0)
    assert clock.due(5 * MS, 0, 0.5) == 0
    assert clock.wait(5 * MS, 0) == 2 * PERIOD
    assert clock.due(5 * MS + 2 * PERIOD, 0, 0.5) == 1
    clock.restart()
    assert clock.due(300 * MS, 0, 0.5) == 0
    assert clock.due(300 * MS + 2 * PERIOD, 0, 0.5) == 1
    assert clock.due(300 * MS + 2 * PERIOD, 0, 0.01) == 0
    assert clock.wait(300 * MS + 2 * PERIOD, 0) == MAX_WAIT_NS


# ---- threads


def test_in_real_time_the_control_timer_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, expected in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert PlannerNodeConfig(lockstep=False).rollout_threads == expected
        assert PlannerNodeConfig(lockstep=True).rollout_threads == 0
        assert PlannerNodeConfig(lockstep=False, threads=3).rollout_threads == 3
