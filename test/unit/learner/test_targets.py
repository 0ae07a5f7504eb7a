"""N-step targets: eq. (7) against slow loops, and the solver's rollouts against plain MuJoCo."""

import dataclasses

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.targets import TargetSolver, bootstrap, target_settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.state import set_state

CONFIG = LearnerConfig(target_horizon=32, target_rollouts=12, target_iterations=1, ensemble_size=3)
# numbers of order 10 that were summed in another order
TOLERANCE = 1e-10


def ensemble(inputs: int, seed: int = 0) -> ValueEnsemble:
    """Heads that differ by much."""
    config = dataclasses.replace(CONFIG, prior_scale=1.0)
    return EnsembleTrainer(inputs, config, seed).value()


def start_states(task: Task, count: int) -> Array:
    rng = np.random.default_rng(1)
    return np.array([task.start_state(rng) for _ in range(count)])


def smooth_controls(solver: TargetSolver, states: Array) -> Array:
    """Controls that the solver's knots can express, so that its first sample is just these."""
    count = solver.mppi.config.knots
    knots = np.random.default_rng(2).uniform(-0.6, 0.6, (len(states), count))
    steps = np.linspace(0.0, 1.0, solver.mppi.config.horizon)
    power = np.arange(count)
    # a polynomial through the knots is what a cubic or lower spline through so few knots is
    coefficients = np.linalg.solve(np.linspace(0.0, 1.0, count)[:, None] ** power, knots.T)
    return ((steps[:, None] ** power) @ coefficients).T[..., None]


def replay(task: Task, state: Array, controls: Array) -> tuple[Array, list[Array]]:
    """Rewards of the states visited and all of these, by plain `mj_step`."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, state)
    states = []
    for ctrl in controls:
        states.append(task.state_of(data))
        data.ctrl[:] = ctrl
        mujoco.mj_step(task.model, data)
    return task.reward(task.observe(np.array(states), controls)), [*states, task.state_of(data)]


def test_bootstrap_is_the_best_total_of_each_head() -> None:
    rng = np.random.default_rng(0)
    rewards = rng.normal(0.0, 3.0, (5, 7))
    features = rng.normal(size=(5, 7, 4))
    rewards[0, 2] = -np.inf
    value = ensemble(4)
    targets = bootstrap(rewards, features, value, 0.7)
    choices = set()
    for head in range(3):
        for state in range(5):
            totals = [rewards[state, j] + 0.7 * value.heads(features[state, j])[head] for j in range(7)]
            assert targets[head, state] == pytest.approx(max(totals), rel=1e-12)
            choices.add((state, int(np.argmax(totals))))
    assert len(choices) > 5  # heads prefer different rollouts, or the test shows nothing


def test_old_rollouts_give_fresh_targets_when_the_values_change() -> None:
    rng = np.random.default_rng(0)
    rewards, features = rng.normal(size=(5, 7)), rng.normal(size=(5, 7, 4))
    value = ensemble(4)
    raised = dataclasses.replace(value, offset=value.offset + 2.0)
    before, after = (bootstrap(rewards, features, v, 0.7) for v in (value, raised))
    np.testing.assert_allclose(after, before + 1.4, rtol=TOLERANCE, atol=TOLERANCE)
    other = bootstrap(rewards, features, ensemble(4, seed=1), 0.7)
    assert not np.allclose(other, before)


def test_a_rollout_that_does_not_count_is_never_chosen() -> None:
    rewards = np.array([[-np.inf, 1.0], [-1e12, 1.0]])
    features = np.zeros((2, 2, 4))
    targets = bootstrap(rewards, features, ensemble(4), 0.7)
    alone = bootstrap(rewards[:, 1:], features[:, 1:], ensemble(4), 0.7)
    np.testing.assert_array_equal(targets, alone)


def test_n_step_rewards_equal_a_replay(task: Task) -> None:
    solver = TargetSolver(task, target_settings(CONFIG), seed=0, threads=1)
    states = start_states(task, 2)
    knots = np.zeros((2, solver.mppi.config.knots, 1))
    solution = solver.mppi.optimise(states, knots, None, ensemble(task.feature_count))
    discounts = CONFIG.discount ** np.arange(CONFIG.target_horizon)
    controls = solution.view.ctrl
    assert np.ptp(controls[0, :, 5, 0]) > 0.5  # the rollouts do differ
    for problem, state in enumerate(states):
        for rollout in range(CONFIG.target_rollouts):
            rewards, visited = replay(task, state, controls[problem, rollout, :-1])
            wanted = (rewards @ discounts).item()
            assert solution.rewards[problem, rollout] == pytest.approx(wanted, rel=TOLERANCE, abs=TOLERANCE)
            np.testing.assert_allclose(
                solution.terminal_features[problem, rollout],
                task.value_features(task.observe(visited[-1])),
                rtol=TOLERANCE,
                atol=TOLERANCE,
            )


def test_given_controls_are_a_candidate(task: Task) -> None:
    solver = TargetSolver(task, target_settings(CONFIG), seed=0, threads=1)
    states = start_states(task, 3)
    given = smooth_controls(solver, states)
    labels = solver.solve(states, given, ensemble(task.feature_count))
    discounts = CONFIG.discount ** np.arange(CONFIG.target_horizon)
    for problem, state in enumerate(states):
        rewards, visited = replay(task, state, np.append(given[problem], given[problem, -1:], axis=0))
        assert labels.rewards[problem, 0] == pytest.approx(
            float(rewards[:-1] @ discounts), rel=TOLERANCE, abs=TOLERANCE
        )
        reached = task.value_features(task.observe(visited[-2]))
        np.testing.assert_allclose(
            labels.terminal_features[problem, 0], reached, rtol=TOLERANCE, atol=TOLERANCE
        )
        np.testing.assert_allclose(
            labels.terminal_states[problem, 0], visited[-1], rtol=TOLERANCE, atol=TOLERANCE
        )
        here = task.value_features(task.observe(state))
        np.testing.assert_allclose(labels.features[problem], here, rtol=TOLERANCE, atol=TOLERANCE)
    assert labels.valid.all()


@pytest.mark.parametrize("iterations", [1, 3])
def test_targets_are_at_least_as_good_as_the_given_controls(task: Task, iterations: int) -> None:
    config = dataclasses.replace(CONFIG, target_iterations=iterations, ensemble_size=1)
    solver = TargetSolver(task, target_settings(config), seed=0, threads=1)
    value = EnsembleTrainer(task.feature_count, config, seed=0).value()
    states = start_states(task, 6)
    given = smooth_controls(solver, states)
    labels = solver.solve(states, given, value)
    gamma_n = config.discount**config.target_horizon
    (targets,) = bootstrap(labels.rewards, labels.terminal_features, value, gamma_n)
    discounts = config.discount ** np.arange(config.target_horizon)
    earned = []
    for state, controls in zip(states, given, strict=True):
        rewards, visited = replay(task, state, controls)
        end = task.value_features(task.observe(visited[-1]))
        earned.append(float(rewards @ discounts + gamma_n * value.heads(end)[0]))
    assert (targets >= np.array(earned) - 1e-9).all()
    assert (targets > np.array(earned) + 1e-3).any()  # and the search finds better ones


def test_more_search_finds_better_targets(task: Task) -> None:
    value = ensemble(task.feature_count)
    states = start_states(task, 16)
    means = []
    for iterations in (1, 4):
        config = dataclasses.replace(CONFIG, target_iterations=iterations)
        solver = TargetSolver(task, target_settings(config), seed=0, threads=1)
        labels = solver.solve(states, np.zeros((16, config.target_horizon, 1)), value)
        gamma_n = config.discount**config.target_horizon
        means.append(bootstrap(labels.rewards, labels.terminal_features, value, gamma_n).mean())
    assert means[1] > means[0]


def test_one_step_targets_need_no_curve(task: Task) -> None:
    config = dataclasses.replace(CONFIG, target_horizon=1)
    solver = TargetSolver(task, target_settings(config), seed=0, threads=1)
    states, given = start_states(task, 2), np.full((2, 1, 1), 0.3)
    labels = solver.solve(states, given, ensemble(task.feature_count))
    for problem, state in enumerate(states):
        rewards, visited = replay(task, state, given[problem])
        assert labels.rewards[problem, 0] == pytest.approx(rewards[0], rel=TOLERANCE, abs=TOLERANCE)
        reached = task.value_features(task.observe(visited[-1]))
        np.testing.assert_allclose(
            labels.terminal_features[problem, 0], reached, rtol=TOLERANCE, atol=TOLERANCE
        )


def test_same_seed_gives_the_same_labels(task: Task) -> None:
    states = start_states(task, 3)
    given, value = np.zeros((3, CONFIG.target_horizon, 1)), ensemble(task.feature_count)
    first, second, other = (
        TargetSolver(task, target_settings(CONFIG), seed, threads).solve(states, given, value)
        for seed, threads in ((5, 1), (5, 2), (6, 1))
    )
    np.testing.assert_array_equal(first.rewards, second.rewards)
    np.testing.assert_array_equal(first.terminal_states, second.terminal_states)
    assert not np.array_equal(first.rewards, other.rewards)


def test_diverged_rollouts_do_not_count() -> None:
    # gears so strong that the larger controls throw the cart out of MuJoCo's number range
    task = make_task("cartpole_swingup", torque_scale=1e9)
    config = dataclasses.replace(CONFIG, target_horizon=4, ensemble_size=2)
    value = EnsembleTrainer(task.feature_count, config, seed=0).value()
    solver = TargetSolver(task, target_settings(config), seed=0, threads=1)
    states = start_states(task, 2)
    states[1, task.model.nq] = 1e12  # diverges whatever the control
    labels = solver.solve(states, np.zeros((2, 4, 1)), value)
    assert 0 < labels.valid[0].sum() < CONFIG.target_rollouts and not labels.valid[1].any()
    np.testing.assert_array_equal(np.isneginf(labels.rewards), ~labels.valid)
    assert np.isfinite(labels.terminal_features).all()
    assert np.isfinite(labels.terminal_states[labels.valid]).all()
    valid = labels.valid[:1]
    counted = bootstrap(
        labels.rewards[:1][valid][None], labels.terminal_features[:1][valid][None], value, 0.9
    )
    targets = bootstrap(labels.rewards, labels.terminal_features, value, 0.9)
    np.testing.assert_allclose(targets[:, :1], counted, rtol=TOLERANCE, atol=TOLERANCE)
    assert np.isneginf(targets[:, 1]).all()
