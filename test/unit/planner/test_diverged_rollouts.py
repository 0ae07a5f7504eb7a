"""What diverged rollouts may not do to a plan."""

import math

import numpy as np
import pytest
from solvers import ensemble, hopeless, solver, start, warm_start, weights_in_loops
from strictness import no_warnings

from polo_ros.arrays import Array
from polo_ros.planner.mppi import MPPI, Solution
from polo_ros.tasks import Task, View, make_task
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup

pytestmark = no_warnings


class Fragile(CartpoleSwingup):
    """Rewards that are no numbers where the cart is pushed hard."""

    bad = math.nan

    def reward_terms(self, view: View) -> dict[str, Array]:
        terms = super().reward_terms(view)
        terms["centre"] = np.where(view.ctrl[..., 0] > 0.6, self.bad, terms["centre"])
        return terms


def check_survivors_decide(mppi: MPPI, solution: Solution) -> None:
    """Rollouts that count for nothing, and a plan made of the others."""
    valid = solution.valid[0]
    assert 1 < valid.sum() < len(valid), "the set-up must make some rollouts fail"
    assert (solution.weights[0, ~valid] == 0.0).all()
    assert (solution.returns[0, ~valid] == -np.inf).all()
    scale_free = mppi.config.temperature_mode == "scale_free"
    expected = weights_in_loops(solution.returns[0], mppi.config.temperature, scale_free)
    np.testing.assert_allclose(solution.weights[0], expected, rtol=1e-9)
    controls = solution.view.ctrl[0, valid, : mppi.config.horizon]
    mean = np.einsum("k,ktu->tu", solution.weights[0, valid], controls)
    np.testing.assert_allclose(solution.knots[0], mean, atol=1e-12)
    for elite in solution.elites[0]:
        assert any(np.array_equal(elite, survivor) for survivor in controls)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["absolute", "scale_free"])
def test_a_rollout_with_a_non_finite_reward_counts_for_nothing(bad: float, mode: str) -> None:
    task = Fragile()
    task.bad = bad
    mppi = solver(task, noise="white", horizon=4, noise_sigma=0.5, temperature_mode=mode)
    check_survivors_decide(mppi, mppi.optimise(start(task), np.zeros((1, 4, 1))))


@pytest.mark.parametrize("mode", ["absolute", "scale_free"])
def test_a_diverged_rollout_counts_for_nothing(mode: str) -> None:
    task = make_task("cartpole_swingup", torque_scale=1e6)  # MuJoCo gives up on the strongest pushes
    mppi = solver(task, noise="white", horizon=2, noise_sigma=0.25, temperature_mode=mode)
    check_survivors_decide(mppi, mppi.optimise(start(task), np.zeros((1, 2, 1))))


def test_a_diverged_rollout_is_no_elite_even_if_few_survive() -> None:
    task = make_task("cartpole_swingup", torque_scale=1e11)
    mppi = solver(task, noise="white", horizon=2, noise_sigma=1.0, elites=3)
    solution = mppi.optimise(start(task), np.zeros((1, 2, 1)))
    assert solution.valid[0].sum() == 1 and solution.valid[0, 0]  # the zero-noise plan alone
    np.testing.assert_array_equal(solution.elites, np.zeros_like(solution.elites))
    np.testing.assert_array_equal(solution.knots, np.zeros((1, 2, 1)))


@pytest.mark.parametrize("mode", ["absolute", "scale_free"])
@pytest.mark.parametrize("iterations", [1, 3])
def test_when_all_diverge_the_knots_stay(cartpole: Task, mode: str, iterations: int) -> None:
    mppi = solver(cartpole, temperature_mode=mode, iterations=iterations)
    knots = warm_start(mppi)
    solution = mppi.optimise(hopeless(cartpole)[None], knots, value=ensemble(cartpole))
    np.testing.assert_array_equal(solution.knots, knots)
    np.testing.assert_array_equal(solution.weights, 0.0)
    assert solution.effective_sample_size.tolist() == [0.0]
    assert not solution.valid.any()


def test_a_hopeless_problem_leaves_its_neighbours_alone(cartpole: Task) -> None:
    mppi = solver(cartpole)
    states, knots = start(cartpole, 3), warm_start(mppi, 3)
    healthy = mppi.optimise(states, knots)
    states[1] = hopeless(cartpole)
    mixed = solver(cartpole).optimise(states, knots)
    assert mixed.valid.any(axis=1).tolist() == [True, False, True]
    np.testing.assert_array_equal(mixed.knots[[0, 2]], healthy.knots[[0, 2]])
    np.testing.assert_array_equal(mixed.knots[1], knots[1])
