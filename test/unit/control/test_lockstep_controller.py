"""The controller of lockstep: each state is answered once, with a plan from it."""

import re
import time

import numpy as np
import pytest
from controllers import DEADLINE, PERIOD, Make, Results, add_state

from polo_ros.arrays import Array
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.ports import ControllerSettings
from polo_ros.control.status import Level
from polo_ros.errors import PoloError
from polo_ros.planner import PlannerConfig, PlanReport
from polo_ros.tasks import make_task


def test_lockstep_answers_a_state_with_command_experience_and_report(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    assert add_state(controller, 0)
    (report,) = results.wait("show", 1)
    assert [name for name, _ in results.events] == ["send", "record", "show"]
    ((ctrl, stamp),) = results.of("send")
    assert stamp == 0
    np.testing.assert_array_equal(ctrl, report.view.ctrl)
    ((transition,),) = results.of("record")
    assert (transition.snapshot.stamp, transition.episode) == (0, 0)
    np.testing.assert_array_equal(transition.ctrl, ctrl)
    status = controller.status()
    assert (status.level, status.text, status.values["plans"]) == (Level.OK, "planning", 1)


def test_lockstep_sends_its_answer_again_for_the_same_state(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    add_state(controller, 0)
    results.wait("show", 1)
    assert add_state(controller, 0)
    (first, again) = results.of("send")
    assert again[1] == first[1]
    np.testing.assert_array_equal(again[0], first[0])
    assert len(results.of("show")) == 1


def test_lockstep_answers_with_the_safe_action_while_disabled(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    assert controller.enable(False) == (True, "disabled")
    add_state(controller, 0)
    ((ctrl, stamp),) = results.of("send")
    assert (list(ctrl), stamp) == ([0.0], 0)
    assert controller.status().text == "safe action: not enabled; call ~/enable"
    assert not results.of("record")


def test_a_state_that_was_planned_while_another_node_commanded_is_answered_later(
    make: Make, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = make(lockstep=True)
    plan = controller._planner.plan

    def block_and_plan(state: Array, now: float) -> PlanReport:
        controller.block("another node commands")
        return plan(state, now)

    monkeypatch.setattr(controller._planner, "plan", block_and_plan)
    add_state(controller, 0)
    results.wait("show", 1)
    assert not results.of("send")
    monkeypatch.undo()
    controller.block("")
    add_state(controller, 0)  # the simulator asks again
    results.wait("send", 1)
    assert results.of("send")[0][1] == 0


def test_the_gates_limit_reaches_commands_and_experience(make: Make, results: Results) -> None:
    controller = make(lockstep=True, max_effort_scale=0.0)
    add_state(controller, 0)
    results.wait("show", 1)
    ((ctrl, _),) = results.of("send")
    assert list(ctrl) == [0.0]
    ((transition,),) = results.of("record")
    assert transition.view is None  # the plan's view is of another control


def test_parameters_are_taken_over_before_the_next_plan(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    add_state(controller, 0)
    results.wait("show", 1)
    task = make_task("cartpole_swingup")
    node = PlannerNodeConfig(lockstep=True, control_rate=50.0, max_effort_scale=0.0)
    weights = {term.name: 0.0 for term in task.terms}
    controller.configure(ControllerSettings(node, PlannerConfig(horizon=7, rollouts=8), weights))
    add_state(controller, PERIOD)
    _, report = results.wait("show", 2)
    assert report.reward == 0.0
    assert report.plan.end == pytest.approx(0.02 + 6 * 0.02)
    assert list(results.of("send")[-1][0]) == [0.0]


def test_a_gap_or_a_jump_back_begins_a_new_episode(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    for count, stamp in enumerate([0, PERIOD, 30 * PERIOD, 31 * PERIOD, 0], start=1):
        add_state(controller, stamp)
        results.wait("show", count)
    episodes = [transition.episode for (transition,) in results.of("record")]
    assert episodes == [0, 0, 1, 1, 2]
    assert results.of("warn") == ["time jumped back: plan and experience start afresh"]


def test_an_e_stop_is_said_once_and_needs_an_enable(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    controller.e_stop(True)
    controller.e_stop(True)
    assert results.of("warn") == ["e-stop pressed"]
    assert not controller.enable(True)[0]
    assert controller.status().text == "safe action: e-stop pressed"
    controller.e_stop(False)
    assert controller.status().text == "safe action: not enabled; call ~/enable"
    assert controller.enable(True) == (True, "enabled")


def test_closing_leaves_the_safe_action(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    assert not controller.close()  # there was no state to answer
    assert not results.of("send")
    other = make(lockstep=True)
    add_state(other, 0)
    results.wait("show", 1)
    assert other.close()
    ctrl, stamp = results.of("send")[-1]
    assert (list(ctrl), stamp) == ([0.0], 0)


def test_a_failure_of_planning_reaches_check(make: Make, results: Results) -> None:
    controller = make(lockstep=True)
    controller.check()
    add_state(controller, 0, hinge=np.nan)  # the node refuses such a message
    controller._worker._thread.join(DEADLINE)
    with pytest.raises(PoloError, match="a state must be finite"):
        controller.check()


def test_in_lockstep_silence_is_said_but_no_wall_clock_decides_on_commands(
    make: Make, results: Results
) -> None:
    controller = make(lockstep=True, silence_timeout=0.1)
    add_state(controller, 0)
    results.wait("show", 1)
    assert controller.status().text == "planning"
    time.sleep(0.15)
    status = controller.status()
    assert status.level is Level.WARN
    assert re.fullmatch(r"no state has come for 0\.\d s", status.text)
    add_state(controller, PERIOD)
    results.wait("show", 2)
    assert controller.status().text == "planning"
    assert len(results.of("record")) == 2


def test_another_control_rate_than_the_tasks_is_refused(make: Make) -> None:
    with pytest.raises(PoloError, match=r"control_rate 30\.0 is not task cartpole_swingup's 50 control"):
        make(lockstep=True, control_rate=30.0)
