"""Planners of the efficiency experiment whose sampling rounds anneal the noise or stop early."""

import math
from typing import Any

import numpy as np
import pytest
from solvers import SMALL, hopeless, start, warm_start
from strictness import no_warnings

from experiments.sampling_rounds import AnnealedMPPI, AnnealedPlanner, GainLimitedMPPI, GainLimitedPlanner
from polo_ros.parameters.schema import build
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.mppi import MPPI, Solution
from polo_ros.tasks import Task, make_task

pytestmark = no_warnings

# no two of ten returns are sqrt(2 · 10) = 4.47 of their standard deviations apart
UNREACHABLE = 5.0
GAINS = (0.05, 0.12, 0.2, 0.5, 1.0)


@pytest.fixture
def cartpole() -> Task:
    return make_task("cartpole_swingup")


def solver(task: Task, kind: type[MPPI] = MPPI, **changes: Any) -> MPPI:
    return kind(task, build(PlannerConfig, SMALL | changes), seed=0, threads=1)


def gain_limited(gain: float) -> type[GainLimitedMPPI]:
    """A solver class with another limit."""

    class Limited(GainLimitedMPPI):
        minimum_gain = gain

    return Limited


def chained(task: Task, sigmas: list[float], problems: int = 1) -> list[Solution]:
    """One round at a time, each from the last one's knots and elites, with the same generator."""
    mppi = solver(task)
    states, knots, elites = start(task, problems), warm_start(mppi, problems), None
    found = []
    for sigma in sigmas:
        mppi.configure(build(PlannerConfig, SMALL | {"noise_sigma": sigma}))
        found.append(mppi.optimise(states, knots, elites))
        knots, elites = found[-1].knots, found[-1].elites
    return found


def gains_in_loops(solution: Solution) -> list[float]:
    """By how many standard deviations the best return exceeds rollout 0's, of each problem."""
    gains = []
    for returns in solution.returns:
        finite = [float(value) for value in returns if math.isfinite(value)]
        mean = sum(finite) / len(finite)
        spread = math.sqrt(sum((value - mean) ** 2 for value in finite) / len(finite))
        gains.append((max(finite) - float(returns[0])) / spread)
    return gains


def test_noise_shrinks_by_the_decay_from_round_to_round(cartpole: Task) -> None:
    mppi = solver(cartpole, AnnealedMPPI, iterations=3)
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    assert mppi.config.noise_sigma == 0.4  # as configured, for the next plan
    last = chained(cartpole, [0.4, 0.2, 0.1])[-1]
    np.testing.assert_array_equal(solution.knots, last.knots)
    np.testing.assert_array_equal(solution.view.ctrl, last.view.ctrl)


def test_the_last_rounds_samples_have_the_decayed_spread(cartpole: Task) -> None:
    mppi = solver(
        cartpole, AnnealedMPPI, noise="white", rollouts=512, elites=0, noise_sigma=0.4, iterations=3
    )
    controls = mppi.optimise(start(cartpole), np.zeros((1, 12, 1))).view.ctrl[0, :, :12]
    assert (controls[1:] - controls[0]).std() == pytest.approx(0.1, rel=0.03)


def test_a_gain_that_cannot_be_reached_ends_after_one_round(cartpole: Task) -> None:
    mppi = solver(cartpole, gain_limited(UNREACHABLE), iterations=4)
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    assert solution.iterations == 1
    np.testing.assert_array_equal(solution.knots, chained(cartpole, [0.4])[-1].knots)


def test_equal_returns_end_after_one_round(cartpole: Task) -> None:
    cartpole.weights = dict.fromkeys(cartpole.weights, 0.0)
    mppi = solver(cartpole, gain_limited(0.01), iterations=4)
    assert mppi.optimise(start(cartpole), warm_start(mppi)).iterations == 1


@pytest.mark.parametrize("problems", [1, 3])
@pytest.mark.parametrize("gain", GAINS)
def test_rounds_go_on_while_any_problem_gains(cartpole: Task, gain: float, problems: int) -> None:
    rounds = chained(cartpole, [0.4] * 6, problems)
    gained = [max(gains_in_loops(found)) > gain for found in rounds]
    expected = gained.index(False) + 1 if False in gained else 6
    mppi = solver(cartpole, gain_limited(gain), iterations=6)
    solution = mppi.optimise(start(cartpole, problems), warm_start(mppi, problems))
    assert solution.iterations == expected
    np.testing.assert_array_equal(solution.knots, rounds[expected - 1].knots)


def test_rounds_differ_with_the_gain(cartpole: Task) -> None:
    """The cases above would prove little if all gains ended in the same round."""
    rounds = set()
    for gain in GAINS:
        mppi = solver(cartpole, gain_limited(gain), iterations=6)
        rounds.add(mppi.optimise(start(cartpole), warm_start(mppi)).iterations)
    assert len(rounds) >= 3


def test_problems_without_a_rollout_ask_for_nothing(cartpole: Task) -> None:
    mppi = solver(cartpole, gain_limited(0.01), iterations=3)
    knots = warm_start(mppi)
    lost = mppi.optimise(hopeless(cartpole)[None], knots)
    assert lost.iterations == 1
    np.testing.assert_array_equal(lost.knots, knots)
    states = np.array([hopeless(cartpole), start(cartpole)[0]])
    mixed = solver(cartpole, gain_limited(0.01), iterations=2)
    assert mixed.optimise(states, warm_start(mixed, 2)).iterations == 2


def test_planners_use_these_solvers(cartpole: Task) -> None:
    config = build(PlannerConfig, SMALL | {"iterations": 2})
    state = start(cartpole)[0]
    plain, annealed, limited = (
        kind(cartpole, config, seed=0, threads=1).plan(state, 0.0)
        for kind in (Planner, AnnealedPlanner, GainLimitedPlanner)
    )
    assert not np.array_equal(annealed.plan.knots, plain.plan.knots)
    assert (plain.simulator_steps, annealed.simulator_steps) == (2 * 10 * 13, 2 * 10 * 13)
    assert limited.simulator_steps == limited.iterations * 10 * 13
