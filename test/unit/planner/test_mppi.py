"""MPPI against slow re-implementations."""

import mujoco
import numpy as np
import pytest
from solvers import NOISES, config, ensemble, solver, start, warm_start, weights_in_loops
from strictness import no_warnings

from polo_ros.arrays import Array
from polo_ros.planner.mppi import Solution
from polo_ros.planner.plan import Plan
from polo_ros.planner.value import Layer, ValueEnsemble, optimistic
from polo_ros.tasks import Task
from polo_ros.tasks.state import set_state

pytestmark = no_warnings


def stepped(task: Task, state: Array, controls: Array) -> list[Array]:
    """The states s_0 to s_H by plain steps."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, state)
    states = [task.state_of(data)]
    for control in controls:
        data.ctrl[:] = control
        mujoco.mj_step(task.model, data)
        states.append(task.state_of(data))
    return states


@pytest.mark.parametrize("mode", ["absolute", "scale_free"])
@pytest.mark.parametrize("temperature", [0.01, 0.3, 5.0])
def test_weights_by_a_slow_re_implementation(cartpole: Task, mode: str, temperature: float) -> None:
    mppi = solver(cartpole, temperature=temperature, temperature_mode=mode)
    solution = mppi.optimise(start(cartpole, 3), warm_start(mppi, 3))
    for row in range(3):
        expected = weights_in_loops(solution.returns[row], temperature, mode == "scale_free")
        np.testing.assert_allclose(solution.weights[row], expected, rtol=1e-9, atol=1e-300)
        size = 1.0 / sum(weight**2 for weight in expected)
        assert solution.effective_sample_size[row] == pytest.approx(size)
    assert solution.valid.all()


def test_the_scale_free_temperature_ignores_the_scale_of_the_reward(cartpole: Task) -> None:
    mppi = solver(cartpole, temperature_mode="scale_free")
    before = mppi.optimise(start(cartpole), warm_start(mppi)).weights
    cartpole.weights = {name: 100.0 * weight for name, weight in cartpole.weights.items()}
    mppi = solver(cartpole, temperature_mode="scale_free")
    after = mppi.optimise(start(cartpole), warm_start(mppi)).weights
    np.testing.assert_allclose(after, before, rtol=1e-9)


@pytest.mark.parametrize("mode", ["absolute", "scale_free"])
def test_equal_returns_have_equal_weights(cartpole: Task, mode: str) -> None:
    cartpole.weights = dict.fromkeys(cartpole.weights, 0.0)
    mppi = solver(cartpole, temperature_mode=mode)
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    np.testing.assert_allclose(solution.weights, 0.1)
    assert solution.effective_sample_size[0] == pytest.approx(10)


def test_the_update_is_the_weighted_mean_of_the_samples(cartpole: Task) -> None:
    mppi = solver(cartpole, noise="white")  # one held knot a step: the controls are the samples
    solution = mppi.optimise(start(cartpole, 2), warm_start(mppi, 2))
    for row in range(2):
        expected = np.zeros((12, 1))
        for weight, controls in zip(solution.weights[row], solution.view.ctrl[row], strict=True):
            expected += weight * controls[:12]
        np.testing.assert_allclose(solution.knots[row], expected, atol=1e-12)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("elite_count", [0, 2])
def test_rollout_0_is_the_plan_without_noise_and_elites_follow(
    cartpole: Task, noise: str, elite_count: int
) -> None:
    mppi = solver(cartpole, noise=noise, elites=elite_count, noise_sigma=0.1)
    knots = warm_start(mppi)
    elites = np.random.default_rng(4).uniform(-0.5, 0.5, (1, elite_count, *knots.shape[1:]))
    solution = mppi.optimise(start(cartpole), knots, elites)
    steps = np.arange(13, dtype=float)
    for row, tried in enumerate([knots[0], *elites[0]]):
        curve = Plan(0.0, mppi.knot_spacing, tried, mppi.config.curve)
        expected = np.clip(curve.sample(steps), -1, 1)
        np.testing.assert_allclose(solution.view.ctrl[0, row], expected, atol=1e-12)
    others = solution.view.ctrl[0, 1 + elite_count :]
    assert len(np.unique(others[:, 0, 0])) == len(others)  # the rest are samples of their own
    assert not np.isin(others[:, 0, 0], knots[0, 0]).any()


def test_the_last_knot_is_the_last_step(cartpole: Task) -> None:
    mppi = solver(cartpole, horizon=12, noise_knots=4)
    np.testing.assert_allclose(mppi.knot_steps, [0, 11 / 3, 22 / 3, 11])
    assert solver(cartpole, noise="white").knot_steps.tolist() == list(range(12))


def test_a_single_step_can_be_planned(cartpole: Task) -> None:
    mppi = solver(cartpole, horizon=1, noise="white")
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    assert solution.knots.shape == (1, 1, 1) and solution.valid.all()
    assert solution.view.ctrl.shape == (1, 10, 2, 1)


def test_elites_are_the_best_samples_best_first(cartpole: Task) -> None:
    mppi = solver(cartpole, noise="white", elites=4)
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    order = sorted(range(10), key=lambda row: -solution.returns[0, row])[:4]
    np.testing.assert_array_equal(solution.elites[0], solution.view.ctrl[0, order, :12])


def test_samples_spread_by_sigma_over_half_the_range(cartpole: Task) -> None:
    cartpole.model.actuator_ctrlrange[0] = [-1.0, 7.0]
    mppi = solver(cartpole, noise="white", noise_sigma=0.1, rollouts=512, horizon=20)
    knots = np.full((1, 20, 1), 3.0)
    sampled = mppi.optimise(start(cartpole), knots).view.ctrl[0, 1:, :20]
    assert sampled.mean() == pytest.approx(3.0, abs=0.02)
    assert sampled.std() == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize("noise", NOISES)
def test_controls_stay_in_their_range(cartpole: Task, noise: str) -> None:
    mppi = solver(cartpole, noise=noise, noise_sigma=1.0)
    knots = warm_start(mppi) * 4  # half of the knots lie outside
    solution = mppi.optimise(start(cartpole), knots)
    assert np.abs(solution.view.ctrl).max() == 1.0
    assert np.abs(solution.knots).max() <= 1.0


@pytest.mark.parametrize("blend", [1.0, 0.9, 0.0])
def test_returns_by_plain_steps_and_scalar_sums(cartpole: Task, blend: float) -> None:
    """Rewards discounted from the first step, and γ^t V(s_t) at the end or, blended, after every step."""
    value, kappa, horizon = ensemble(cartpole), 0.05, 12
    mppi = solver(cartpole, discount=0.9, optimism=kappa, value_weight=0.7, value_blend=blend)
    states = start(cartpole, 2)
    solution = mppi.optimise(states, warm_start(mppi, 2), value=value)
    for row, column in np.ndindex(2, 10):
        controls = solution.view.ctrl[row, column]
        visited = stepped(cartpole, states[row], controls[:horizon])
        observed = cartpole.reward(cartpole.observe(np.array(visited[:horizon]), controls[:horizon]))
        reached = cartpole.value_features(cartpole.observe(np.array(visited[1 : horizon + 1])))
        rewards, blended, left = 0.0, 0.0, 1.0
        for step, (reward, features) in enumerate(zip(observed, reached, strict=True)):
            rewards += 0.9**step * float(reward)
            worth = 0.7 * 0.9 ** (step + 1) * float(optimistic(value.heads(features), kappa))
            weight = left * (1.0 - blend) if step < horizon - 1 else left
            left -= weight
            blended += weight * (rewards + worth)
        assert solution.rewards[row, column] == pytest.approx(rewards, abs=1e-9)
        np.testing.assert_allclose(solution.terminal_features[row, column], features, atol=1e-9)
        assert solution.returns[row, column] == pytest.approx(blended, abs=1e-9)


def test_the_terminal_value_is_discounted_by_gamma_to_the_horizon(cartpole: Task) -> None:
    """A constant value of 100: the returns exceed the rewards by 100 γ^H exactly."""
    features = cartpole.feature_count
    flat = (Layer(np.zeros((2, features, 1)), np.zeros((2, 1, 1))),)
    value = ValueEnsemble(flat, flat, np.zeros(features), np.ones(features), 100.0, 1.0, 0.0)
    mppi = solver(cartpole, discount=0.95, horizon=20)
    solution = mppi.optimise(start(cartpole), warm_start(mppi), value=value)
    np.testing.assert_array_equal(solution.returns, solution.rewards + 0.95**20 * 100.0)


def test_no_value_without_an_ensemble_or_a_weight(cartpole: Task) -> None:
    mppi = solver(cartpole)
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    np.testing.assert_array_equal(solution.returns, solution.rewards)
    mppi = solver(cartpole, value_weight=0.0)
    unweighted = mppi.optimise(start(cartpole), warm_start(mppi), value=ensemble(cartpole))
    np.testing.assert_array_equal(unweighted.returns, solution.returns)


@pytest.mark.parametrize("noise", NOISES)
def test_problems_side_by_side_equal_one_at_a_time(cartpole: Task, noise: str) -> None:
    """The generator deals the noise problem by problem, so the same seed serves both."""
    together = solver(cartpole, seed=5, noise=noise)
    states, knots = start(cartpole, 3), warm_start(together, 3)
    elites = np.random.default_rng(6).uniform(-1, 1, (3, 1, *knots.shape[1:]))
    value = ensemble(cartpole)
    solution = together.optimise(states, knots, elites, value)
    single = solver(cartpole, seed=5, noise=noise)
    for row in range(3):
        one = slice(row, row + 1)
        alone = single.optimise(states[one], knots[one], elites[one], value)
        np.testing.assert_array_equal(alone.view.ctrl[0], solution.view.ctrl[row])
        np.testing.assert_allclose(alone.returns[0], solution.returns[row], rtol=1e-12)
        np.testing.assert_allclose(alone.knots[0], solution.knots[row], atol=1e-12)
        np.testing.assert_array_equal(alone.elites[0], solution.elites[row])


def zero_noise_return(task: Task, state: Array, knots: Array) -> float:
    mppi = solver(task, rollouts=8, horizon=50)
    return float(mppi.optimise(state, knots).returns[0, 0])


@pytest.mark.parametrize("seed", range(4))
def test_several_iterations_improve_the_return(cartpole: Task, seed: int) -> None:
    state = start(cartpole, seed=seed)
    knots = np.zeros((1, 4, 1))
    before = zero_noise_return(cartpole, state, knots)
    reached = []
    for iterations in (1, 10):
        mppi = solver(cartpole, seed, horizon=50, rollouts=30, iterations=iterations)
        reached.append(zero_noise_return(cartpole, state, mppi.optimise(state, knots).knots))
    assert before < reached[0] < reached[1]


def test_new_iterations_try_the_last_ones_elites(cartpole: Task) -> None:
    state = start(cartpole)
    first = solver(cartpole, noise="white", iterations=1, elites=3)
    twice = solver(cartpole, noise="white", iterations=2, elites=3)
    knots = warm_start(first)
    solution, final = first.optimise(state, knots), twice.optimise(state, knots)
    np.testing.assert_array_equal(final.view.ctrl[0, 1:4, :12], solution.elites[0])
    np.testing.assert_allclose(final.view.ctrl[0, 0, :12], solution.knots[0], atol=1e-12)
    assert final.returns.max() >= solution.returns.max()


@pytest.mark.parametrize("noise", NOISES)
def test_the_seed_decides_everything(humanoid_getup: Task, noise: str) -> None:
    def solve(seed: int, threads: int) -> Solution:
        mppi = solver(humanoid_getup, seed, threads, noise=noise, iterations=2)
        return mppi.optimise(start(humanoid_getup), warm_start(mppi), value=ensemble(humanoid_getup))

    reference = solve(7, 1)
    for threads in (1, 2, 3):
        again = solve(7, threads)
        np.testing.assert_array_equal(again.knots, reference.knots)
        np.testing.assert_array_equal(again.returns, reference.returns)
    assert (solve(8, 1).knots != reference.knots).any()


def test_new_settings_hold_from_the_next_optimisation_on(cartpole: Task) -> None:
    mppi = solver(cartpole)
    mppi.optimise(start(cartpole), warm_start(mppi))
    mppi.configure(config(horizon=20, rollouts=15, noise="filtered"))
    solution = mppi.optimise(start(cartpole), warm_start(mppi))
    assert solution.view.ctrl.shape == (1, 15, 21, 1)
    assert solution.knots.shape == (1, 20, 1)
