"""Periods of simulated time by a clock that may be late."""

import numpy as np
import pytest

from polo_ros.control.simulated_clock import MAX_CATCH_UP_PERIODS, MAX_WAIT_NS, SimulatedClock

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


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
