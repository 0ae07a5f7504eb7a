"""The estimate of how long plans take."""

import math

import pytest

from polo_ros.control.latency import LatencyEstimate

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


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
