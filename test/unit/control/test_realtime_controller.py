"""The controller of real time: ticks follow the plan that acts, and lateness is said."""

import re
import time

import numpy as np
import pytest
from controllers import PERIOD, Make, Results, add_state, run, tick

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.status import Level


def test_in_real_time_a_tick_commands_from_the_plan_that_acts(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False)
    controller.tick()
    assert not results.of("send")  # no state yet
    assert controller.status().text == "safe action: no message yet on joint_states"
    add_state(controller, 0)
    (report,) = results.wait("show", 1)
    planned = tick(controller, results, PERIOD)
    np.testing.assert_array_equal(planned, controller._planner.control(report.plan, 0.02))
    assert controller.status().text == "planning"


def test_in_real_time_there_is_no_plan_to_follow_before_the_first_tick(make: Make, results: Results) -> None:
    controller = make(lockstep=False)
    add_state(controller, 0)
    assert controller.status().text == "safe action: no plan yet"


def test_in_real_time_states_are_paired_with_what_was_sent(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False)
    sent: dict[int, Array] = {}
    for index in range(6):
        results.now = index * PERIOD
        add_state(controller, index * PERIOD)
        results.wait("show", index + 1)
        sent[index * PERIOD] = tick(controller, results, index * PERIOD)
    transitions: list[Transition] = [each for batch in results.of("record") for each in batch]
    # of the last state it is not known yet, and of the one before not when the last plan was made
    assert [each.snapshot.stamp for each in transitions] == [index * PERIOD for index in range(4)]
    for each in transitions:
        np.testing.assert_array_equal(each.ctrl, sent[each.snapshot.stamp])


def test_in_real_time_a_stale_state_and_a_plan_that_ran_out_are_said(make: Make, results: Results) -> None:
    controller = make(lockstep=False, state_timeout=1.0)
    add_state(controller, 0)
    results.wait("show", 1)
    tick(controller, results, PERIOD)
    assert list(tick(controller, results, NANOSECONDS // 2)) == [0.0]
    status = controller.status()
    assert (status.text, status.values["missed_plans"]) == ("safe action: the plan has run out", 1)
    assert list(tick(controller, results, 2 * NANOSECONDS)) == [0.0]
    assert controller.status().text == "safe action: the state is 2.000 s old, more than 1.000 s"


def test_states_that_stop_with_their_clock_are_stale(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False, silence_timeout=0.1)
    add_state(controller, 0)
    results.wait("show", 1)
    assert any(tick(controller, results, PERIOD))
    time.sleep(0.15)  # simulated time stands still
    assert list(tick(controller, results, PERIOD)) == [0.0]
    status = controller.status()
    assert status.level is Level.WARN
    assert re.fullmatch(r"safe action: no state has come for 0\.\d s", status.text)
    add_state(controller, 0)  # the same state again: the simulator is there, and was paused
    assert any(tick(controller, results, PERIOD))
    assert controller.status().text == "planning"


@pytest.mark.parametrize("silence_timeout", [0.1, 1.0])
def test_silence_ends_in_the_safe_action_within_one_control_period(
    make: Make, results: Results, silence_timeout: float
) -> None:
    """The bound of the time to safe: `safety.silence_timeout` and one tick, by a clock that never jumps."""
    now = [0]
    controller = make(
        lockstep=False, monotonic=lambda: now[0], silence_timeout=silence_timeout, latency_compensation=False
    )
    add_state(controller, 0)
    results.wait("show", 1)
    ticks = 0
    while tick(controller, results, 0).any():  # simulated time stands still
        ticks += 1
        now[0] = ticks * PERIOD
    assert ticks * PERIOD / NANOSECONDS == pytest.approx(silence_timeout + PERIOD / NANOSECONDS)


def test_late_ticks_and_old_plans_are_said_with_their_figures(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False, state_timeout=1.0)
    add_state(controller, 0)
    results.wait("show", 1)
    controller.status()
    run(controller, results, [index * PERIOD for index in range(1, 12)])
    assert controller.status().text == "planning"
    run(controller, results, [(12 + 4 * index) * PERIOD for index in range(10)])
    status = controller.status()
    assert status.level is Level.WARN
    assert status.text == (
        "planning is late: 9 of 10 control ticks missed their deadline; plans are 0.074 s old, more than "
        "0.060 s; 13.5 plans per second for 50 commands"
    )


def test_a_known_delay_of_commands_is_compensated(make: Make, results: Results) -> None:
    """Each plan starts from the very state in which its first command acts."""
    controller, delay, count = make(lockstep=False, monotonic=lambda: 0, command_delay=0.04), 2, 14
    task = controller._task
    world = World(task, np.random.default_rng(0))
    world.data.qpos[:], world.data.qvel[:] = (0.0, 0.2), (0.0, 0.5)
    sent, states, planned = [np.zeros(1)] * delay, [], {}
    for index in range(count):
        states.append(world.state)
        results.now = index * PERIOD
        controller.add_joints(world.data.qpos.copy(), world.data.qvel.copy(), results.now)
        report = results.wait("show", index + 1)[-1]
        planned[round(report.plan.start * NANOSECONDS / PERIOD)] = report.view.sensordata
        sent.append(tick(controller, results, results.now))
        world.step(sent[index])
    assert any(ctrl.any() for ctrl in sent)
    # what acted before the first command is not known
    compared = [index for index in planned if 2 * delay <= index < count]
    assert len(compared) >= 8
    for index in compared:
        observed = task.observe(states[index]).sensordata
        np.testing.assert_allclose(planned[index], observed, atol=1e-9)


def test_enabling_again_waits_for_a_new_plan(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False)
    add_state(controller, 0)
    results.wait("show", 1)
    controller.enable(False)
    controller.enable(True)
    assert list(tick(controller, results, PERIOD)) == [0.0]
    assert controller.status().text == "safe action: no plan yet"
    add_state(controller, PERIOD)
    results.wait("show", 2)
    tick(controller, results, 2 * PERIOD)
    assert controller.status().text == "planning"
    assert controller.status().values["episode"] == 1
