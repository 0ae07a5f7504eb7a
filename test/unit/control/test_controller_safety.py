"""Controllers with plans that found nothing, with new safety parameters, stops and ends."""

import numpy as np
import pytest
from controllers import PERIOD, Make, Results, add_state, settings, tick
from values import nowhere_finite

from polo_ros.control import NANOSECONDS
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.controller import Controller
from polo_ros.control.status import Level
from polo_ros.tasks import make_task


def add_fast_state(controller: Controller, stamp: int) -> None:
    """A state of which every rollout diverges."""
    controller.add_joints(np.array([0.0, 3.0]), np.array([1e6, 0.0]), stamp)


def test_a_plan_that_found_nothing_is_not_scheduled(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False, state_timeout=1.0)
    add_state(controller, 0)
    good = results.wait("show", 1)[0].plan
    for index in range(1, 20):
        results.now = index * PERIOD
        add_fast_state(controller, results.now)
        assert results.wait("show", index + 1)[-1].valid_rollouts == 0
        ctrl = tick(controller, results, results.now)
        if results.now / NANOSECONDS < good.end + 1e-6:
            np.testing.assert_array_equal(ctrl, controller._planner.control(good, results.now / NANOSECONDS))
            assert controller.status().text == "every rollout diverged; following the last good plan"
        else:
            assert list(ctrl) == [0.0]
            expected = "every rollout diverged; safe action: the plan has run out"
            assert (controller.status().level, controller.status().text) == (Level.ERROR, expected)
    assert controller.status().values["diverged_plans"] == 19
    results.now = 20 * PERIOD
    add_state(controller, results.now)
    assert results.wait("show", 21)[-1].valid_rollouts > 0
    assert tick(controller, results, results.now).any()
    # the old plan was followed for long and ran out, which is said, too
    assert controller.status().text.startswith("planning is late: the plan ran out before the next one came")


def test_lockstep_follows_the_last_good_plan_to_its_end(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    add_state(controller, 0)
    good = results.wait("show", 1)[0].plan
    for index in range(1, 10):
        add_fast_state(controller, index * PERIOD)
        results.wait("show", index + 1)
        ctrl, stamp = results.of("send")[-1]
        assert stamp == index * PERIOD
        if stamp / NANOSECONDS < good.end + 1e-6:
            np.testing.assert_array_equal(ctrl, controller._planner.control(good, stamp / NANOSECONDS))
        else:
            assert list(ctrl) == [0.0]
    assert controller.status().text == "every rollout diverged; safe action: the plan has run out"
    assert len(results.of("record")) == 1 + 4
    add_state(controller, 10 * PERIOD)
    results.wait("show", 11)
    assert results.of("send")[-1][0].any()
    assert controller.status().text == "planning"


def test_weights_of_which_no_value_is_finite_lead_to_the_safe_action(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    add_state(controller, 0)
    results.wait("show", 1)
    broken = nowhere_finite(controller._task)
    controller.use_value(broken)
    for index in range(1, 7):
        add_state(controller, index * PERIOD)
        results.wait("show", index + 1)
    assert list(results.of("send")[-1][0]) == [0.0]
    assert controller.status().text == "every rollout diverged; safe action: the plan has run out"


@pytest.mark.parametrize("lockstep", [True, False])
def test_safety_parameters_act_at_once_while_disabled(make: Make, results: Results, lockstep: bool) -> None:
    controller = make(lockstep=lockstep)
    controller.enable(False)
    node = PlannerNodeConfig(lockstep=lockstep, control_rate=50.0)
    task = make_task("cartpole_swingup")
    for index, gain in enumerate((2.0, 4.0)):
        controller.configure(settings(task, node, safe_action="damping", damping=gain))
        results.now = index * PERIOD
        controller.add_joints(np.array([0.0, 3.0]), np.array([1.0, 0.0]), results.now)
        if not lockstep:
            controller.tick()
        np.testing.assert_allclose(results.of("send")[-1][0], [-0.1 * gain])


def test_raising_the_timeout_leads_out_of_a_stale_state(make: Make, results: Results) -> None:
    controller = make(lockstep=False, latency_compensation=False)
    results.now = NANOSECONDS
    add_state(controller, NANOSECONDS // 2)
    tick(controller, results, NANOSECONDS)
    assert controller.status().text == "safe action: the state is 0.500 s old, more than 0.100 s"
    node = PlannerNodeConfig(lockstep=False, control_rate=50.0, autostart=True)
    controller.configure(settings(make_task("cartpole_swingup"), node, state_timeout=1.0))
    add_state(controller, NANOSECONDS // 2 + PERIOD)
    results.wait("show", 1)


def test_hold_is_explained_once_where_there_are_efforts(make: Make, results: Results) -> None:
    controller = make(lockstep=True, safe_action="hold")
    task, node = make_task("cartpole_swingup"), PlannerNodeConfig(lockstep=True, control_rate=50.0)
    controller.configure(settings(task, node, safe_action="hold"))
    (said,) = results.of("warn")
    assert said.startswith("safety.action is hold, but")
    for action in ("zero", "hold"):
        controller.configure(settings(task, node, safe_action=action))
    assert results.of("warn") == [said, said]


@pytest.mark.parametrize("lockstep", [True, False])
def test_a_planner_that_was_never_enabled_is_silent(make: Make, results: Results, lockstep: bool) -> None:
    controller = make(lockstep=lockstep, autostart=False)
    for index in range(3):
        results.now = index * PERIOD
        add_state(controller, results.now)
        add_state(controller, results.now)  # lockstep asks again
        if not lockstep:
            controller.tick()
    controller.e_stop(True)
    controller.e_stop(False)
    add_state(controller, 3 * PERIOD)
    assert not controller.close()
    assert not results.of("send")


def test_lockstep_answers_the_state_that_waits_when_it_is_enabled(make: Make, results: Results) -> None:
    controller = make(lockstep=True, autostart=False)
    add_state(controller, 0)
    controller.enable(True)
    add_state(controller, 0)  # the simulator asks again
    ((_, stamp),) = results.wait("send", 1)
    assert stamp == 0


def test_lockstep_repeats_no_plans_command_after_an_e_stop(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    add_state(controller, 0)
    results.wait("show", 1)
    assert results.of("send")[-1][0].any()
    controller.e_stop(True)
    add_state(controller, 0)
    assert list(results.of("send")[-1][0]) == [0.0]


@pytest.mark.parametrize("action", ["zero", "damping", "hold"])
@pytest.mark.parametrize("lockstep", [True, False])
def test_closing_leaves_no_effort(make: Make, results: Results, lockstep: bool, action: str) -> None:
    controller = make(lockstep=lockstep, latency_compensation=False, safe_action=action)
    controller.add_joints(np.array([0.0, 3.0]), np.array([1.0, 0.0]), 0)
    results.wait("show", 1)
    assert controller.close()
    assert list(results.of("send")[-1][0]) == [0.0]
