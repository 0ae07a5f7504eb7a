"""How many threads a planner takes."""

import os

import pytest

from polo_ros.control.config import PlannerNodeConfig

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


def test_in_real_time_the_control_timer_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, expected in ((1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert PlannerNodeConfig(lockstep=False).rollout_threads == expected
        assert PlannerNodeConfig(lockstep=True).rollout_threads == 0
        assert PlannerNodeConfig(lockstep=False, threads=3).rollout_threads == 3
