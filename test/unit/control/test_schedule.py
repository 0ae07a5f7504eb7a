"""Which plan acts when."""

import numpy as np

from polo_ros.control.schedule import NO_PLAN, RUN_OUT, Schedule, why_unfollowed
from polo_ros.planner import Plan

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


def plan(start: float, ctrl: float, sequence: int = 0) -> Plan:
    """The same control for 0.1 s."""
    return Plan(start, 0.05, np.full((3, 1), ctrl), "linear", sequence)


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
