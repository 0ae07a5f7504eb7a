"""The controllers as the planner node uses them, without ROS: parts of the state in, commands out."""

import re
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
from values import nowhere_finite

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition, rewards
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.control.controller import Controller
from polo_ros.control.joints import JointMapping
from polo_ros.control.lockstep import LockstepController
from polo_ros.control.ports import ControllerOutputs, ControllerSettings
from polo_ros.control.realtime import RealTimeController
from polo_ros.control.state import Snapshot
from polo_ros.control.status import Level
from polo_ros.errors import PoloError
from polo_ros.planner import Planner, PlannerConfig, PlanReport
from polo_ros.tasks import Task, make_task

DEADLINE = 60.0  # s of wall time; only a failing test takes as long
PERIOD = NANOSECONDS // 50  # of the cart-pole


class Results:
    """What a controller puts out, in order, and the clock it reads."""

    def __init__(self) -> None:
        self.now = 0
        self.events: list[tuple[str, Any]] = []
        self._condition = threading.Condition()

    def outputs(self) -> ControllerOutputs:
        """Outputs that append to `events`."""
        return ControllerOutputs(
            send=lambda ctrl, stamp, _: self._add("send", (ctrl, stamp)),
            record=lambda transitions: self._add("record", transitions),
            show=lambda report: self._add("show", report),
            warn=lambda text: self._add("warn", text),
        )

    def _add(self, kind: str, content: Any) -> None:
        with self._condition:
            self.events.append((kind, content))
            self._condition.notify_all()

    def of(self, kind: str) -> list[Any]:
        """The contents of one kind of events."""
        with self._condition:
            return [content for name, content in self.events if name == kind]

    def wait(self, kind: str, count: int) -> list[Any]:
        """Until there are so many events of a kind."""

        def enough() -> bool:
            return sum(name == kind for name, _ in self.events) >= count

        with self._condition:
            assert self._condition.wait_for(enough, DEADLINE), f"{count} of {kind} in {self.events}"
        return self.of(kind)


@pytest.fixture
def results() -> Results:
    return Results()


Make = Callable[..., Any]


@pytest.fixture
def make(results: Results) -> Generator[Make]:
    """Makes controllers of the cart-pole, and closes them."""
    made: list[Controller] = []

    def make_controller(lockstep: bool, **values: Any) -> Controller:
        task = make_task("cartpole_swingup")  # its own, since controllers change its weights
        node = PlannerNodeConfig(lockstep=lockstep, control_rate=50.0, autostart=True)
        planner = Planner(task, PlannerConfig(horizon=5, rollouts=8), seed=1, threads=1)
        cls = LockstepController if lockstep else RealTimeController
        controller = cls(
            planner,
            JointMapping(task.model),
            settings(task, node, **values),
            lambda: results.now,
            results.outputs(),
        )
        made.append(controller)
        return controller

    yield make_controller
    for controller in made:
        controller.close()


def settings(task: Task, node: PlannerNodeConfig, **values: Any) -> ControllerSettings:
    """Settings with some of the node's values replaced."""
    changed = {**vars(node), **values}
    weights = {term.name: term.weight for term in task.terms}
    return ControllerSettings(PlannerNodeConfig(**changed), PlannerConfig(horizon=5, rollouts=8), weights)


def add_state(controller: Controller, stamp: int, hinge: float = 3.0) -> bool:
    return controller.add_joints(np.array([0.0, hinge]), np.zeros(2), stamp)


# ---- lockstep


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


# ---- real time


def tick(controller: RealTimeController, results: Results, now: int) -> Array:
    """A control tick at a time in ns; the control sent, (nu,)."""
    results.now = now
    controller.tick()
    ctrl: Array = results.of("send")[-1][0]
    return ctrl


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
    results: Results, silence_timeout: float
) -> None:
    """The bound of the time to safe: `safety.silence_timeout` and one tick, by a clock that never jumps."""
    task, monotonic = make_task("cartpole_swingup"), [0]
    node = PlannerNodeConfig(lockstep=False, control_rate=50.0, autostart=True)
    values = settings(task, node, silence_timeout=silence_timeout, latency_compensation=False)
    planner = Planner(task, PlannerConfig(horizon=5, rollouts=8), seed=1, threads=1)
    controller = RealTimeController(
        planner, JointMapping(task.model), values, lambda: 0, results.outputs(), 0, lambda: monotonic[0]
    )
    add_state(controller, 0)
    results.wait("show", 1)
    ticks = 0
    while tick(controller, results, 0).any():  # simulated time stands still
        ticks += 1
        monotonic[0] = ticks * PERIOD
    assert ticks * PERIOD / NANOSECONDS == pytest.approx(silence_timeout + PERIOD / NANOSECONDS)
    controller.close()


def run(controller: RealTimeController, results: Results, stamps: list[int]) -> None:
    """At each time in ns a control tick, and then a state and its plan."""
    for stamp in stamps:
        tick(controller, results, stamp)
        add_state(controller, stamp)
        results.wait("show", len(results.of("show")) + 1)


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


# ---- plans that find nothing


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


# ---- parameters of safety


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


# ---- before enabling, and stops


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


# ---- rewards


@pytest.mark.parametrize("name", ["cartpole_swingup", "humanoid_getup", "hand_cube"])
def test_rewards_from_the_plans_view_are_those_of_simulating_again(name: str) -> None:
    task = make_task(name)
    planner = Planner(task, PlannerConfig(horizon=5, rollouts=8), threads=1)
    known, unknown = [], []
    for index in range(5):
        state = task.start_state(np.random.default_rng(index))
        report: PlanReport = planner.plan(state, 0.02 * index)
        ctrl = planner.control(report.plan, report.plan.start)
        np.testing.assert_array_equal(ctrl, report.view.ctrl)
        known.append(Transition(Snapshot(state, index), 0, ctrl, report.view))
        unknown.append(Transition(Snapshot(state, index), 0, ctrl))
    expected = rewards(task, unknown)
    np.testing.assert_allclose(rewards(task, known), expected, rtol=0, atol=1e-12)
    mixed = [known[0], unknown[1], known[2], unknown[3], unknown[4]]
    np.testing.assert_allclose(rewards(task, mixed), expected, rtol=0, atol=1e-12)
    assert rewards(task, []).shape == (0,)
