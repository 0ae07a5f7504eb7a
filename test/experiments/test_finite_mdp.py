"""Exact model predictive control on small processes: against enumeration, against each bound, and tight."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from experiments.finite_mdp import (
    MDP,
    best_plan,
    detour_chain,
    lower_envelope,
    mpc_values,
    random_transitions,
    residual,
)
from polo_ros.arrays import Array

ERROR = 0.05
HORIZONS = range(1, 6)


def random_mdp(
    seed: int, slip: float | None, discount: float = 0.9, shape: tuple[int, ...] = (3, 2), count: int = 200
) -> MDP:
    rng = np.random.default_rng(seed)
    transitions = random_transitions(rng, (count, *shape, shape[0]), slip)
    rewards = 10.0 ** rng.uniform(-2.0, 0.5, (count, 1, 1)) * rng.standard_normal((count, *shape))
    return MDP(transitions, rewards, discount)


def policies(states: int, actions: int) -> Iterator[Array]:
    return map(np.array, product(range(actions), repeat=states))


def value_by_simulation(mdp: MDP, controller: list[Array], steps: int) -> Array:
    """The discounted reward of `steps` steps of a controller whose action depends on the time too."""
    states = np.arange(mdp.rewards.shape[0])
    occupancy, total = np.eye(len(states)), np.zeros(len(states))
    for time in range(steps):
        actions = controller[time % len(controller)]
        total += mdp.discount**time * occupancy @ mdp.rewards[states, actions]
        occupancy = occupancy @ mdp.transitions[states, actions]
    return total


@pytest.mark.parametrize("slip", [None, 0.0, 0.2])
def test_random_transitions_are_probabilities(slip: float | None) -> None:
    transitions = random_transitions(np.random.default_rng(0), (50, 4, 2, 4), slip)
    assert np.allclose(transitions.sum(axis=-1), 1.0)
    assert (transitions >= (slip or 0.0) / 4).all()
    assert np.isin(transitions, [0.0, 1.0]).all() == (slip is None)


@pytest.mark.parametrize("slip", [None, 0.1])
def test_policy_values_are_the_discounted_rewards_of_the_policy(slip: float | None) -> None:
    mdp = random_mdp(0, slip, discount=0.5)
    policy = np.random.default_rng(1).integers(2, size=(200, 3))
    for index in range(20):
        earned = value_by_simulation(mdp[index], [policy[index]], 60)
        assert np.allclose(mdp.policy_values(policy)[index], earned, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("slip", [None, 0.1])
def test_optimal_values_are_those_of_the_best_of_all_policies(slip: float | None) -> None:
    mdp = random_mdp(2, slip, discount=0.95)
    every = [mdp.policy_values(np.broadcast_to(policy, (200, 3))) for policy in policies(3, 2)]
    optimal = mdp.optimal_values()
    assert np.allclose(optimal, np.max(every, axis=0), rtol=0.0, atol=1e-9)
    assert np.allclose(mdp.backup(optimal), optimal, rtol=0.0, atol=1e-9)


def test_policy_iteration_terminates_with_ties_and_different_processes() -> None:
    same = MDP(random_transitions(np.random.default_rng(3), (5, 4, 3, 4)), np.ones((5, 4, 3)), 0.99)
    assert np.allclose(same.optimal_values(), 100.0)


def test_best_plan_is_the_best_of_all_sequences_where_nothing_is_random() -> None:
    horizon, mdp = 4, random_mdp(4, None)
    terminal = np.random.default_rng(5).standard_normal((200, 3))
    plan = best_plan(mdp, terminal, horizon)
    assert plan.shape == (200, horizon, 3)
    for index in range(20):
        one, reached = mdp[index], mdp[index].transitions.argmax(axis=-1)
        for start in range(3):
            scores = {}
            for sequence in product(range(2), repeat=horizon):
                state, score = start, 0.0
                for time, action in enumerate(sequence):
                    score += one.discount**time * one.rewards[state, action]
                    state = reached[state, action]
                scores[sequence] = score + one.discount**horizon * terminal[index, state]
            state, chosen = start, []
            for time in range(horizon):
                chosen.append(int(plan[index, time, state]))
                state = reached[state, chosen[-1]]
            assert scores[tuple(chosen)] == pytest.approx(max(scores.values()), abs=1e-12)


def test_best_plan_is_the_best_of_all_closed_loop_plans_where_steps_are_random() -> None:
    horizon, mdp = 2, random_mdp(6, 0.1)
    terminal = np.random.default_rng(7).standard_normal((200, 3))
    plan = best_plan(mdp, terminal, horizon)
    for index in range(10):
        one = mdp[index]

        def score(stages: list[Array], one: MDP = one, ends: Array = terminal[index]) -> Array:
            values = ends
            for actions in reversed(stages):
                transitions, rewards = one.under(actions)
                values = rewards + one.discount * transitions @ values
            return values

        every = [score(list(stages)) for stages in product(policies(3, 2), repeat=horizon)]
        assert np.allclose(score(list(plan[index])), np.max(every, axis=0), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("slip", [None, 0.1])
@pytest.mark.parametrize("executed", [1, 2, 4])
def test_mpc_values_are_the_discounted_rewards_of_acting(slip: float | None, executed: int) -> None:
    horizon, mdp = 4, random_mdp(8, slip, discount=0.5)
    terminal = np.random.default_rng(9).standard_normal((200, 3))
    plan, values = best_plan(mdp, terminal, horizon), mpc_values(mdp, terminal, horizon, executed)
    for index in range(20):
        earned = value_by_simulation(mdp[index], list(plan[index, :executed]), 60)
        assert np.allclose(values[index], earned, rtol=0.0, atol=1e-12)


def test_mpc_values_solve_the_system_over_states_and_stages() -> None:
    horizon, executed, states = 5, 3, 3
    mdp = random_mdp(10, 0.1, discount=0.99)[0]
    terminal = np.random.default_rng(11).standard_normal(states)
    plan = best_plan(mdp, terminal, horizon)
    matrix, constant = np.zeros((executed * states,) * 2), np.zeros(executed * states)
    for stage in range(executed):
        rows, following = stage * states, (stage + 1) % executed * states
        transitions, rewards = mdp.under(plan[stage])
        matrix[rows : rows + states, following : following + states] = 0.99 * transitions
        constant[rows : rows + states] = rewards
    whole = np.linalg.solve(np.eye(executed * states) - matrix, constant)
    assert np.allclose(mpc_values(mdp, terminal, horizon, executed), whole[:states], rtol=0.0, atol=1e-9)


def test_with_the_true_values_planning_loses_nothing() -> None:
    mdp = random_mdp(12, 0.1)
    optimal = mdp.optimal_values()
    for executed in (1, 3):
        assert np.allclose(mpc_values(mdp, optimal, 3, executed), optimal, rtol=0.0, atol=1e-9)


def test_shaping_adds_its_potential_to_values_and_changes_no_loss() -> None:
    mdp, rng = random_mdp(13, 0.1), np.random.default_rng(14)
    potential, errors = rng.standard_normal((2, 200, 3))
    shaped = mdp.shaped(potential)
    optimal = mdp.optimal_values()
    assert np.allclose(shaped.optimal_values(), optimal + potential, rtol=0.0, atol=1e-9)
    loss = optimal - mpc_values(mdp, optimal + errors, 3)
    again = optimal + potential - mpc_values(shaped, optimal + potential + errors, 3)
    assert loss.max() > 0.01
    assert np.allclose(loss, again, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("slip", [None, 0.1])
def test_lower_envelope_lies_below_its_backup_and_below_the_given_values(slip: float | None) -> None:
    mdp = random_mdp(15, slip)
    values = mdp.optimal_values() + np.random.default_rng(16).choice([-ERROR, ERROR], (200, 3))
    assert residual(mdp, values).max() > 0.01
    for sweeps in (0, 1, 50):
        envelope = lower_envelope(mdp, values, sweeps)
        assert (envelope <= values + 1e-12).all()
        assert residual(mdp, envelope).max() <= 1e-12
    # the value of a policy is one already
    own = mdp.policy_values(np.zeros((200, 3), int))
    assert np.allclose(lower_envelope(mdp, own), own, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("slip", [None, 0.1])
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (6, 3)])
def test_bounds_hold_for_every_horizon_and_share_of_the_plan(
    shape: tuple[int, int], discount: float, slip: float | None
) -> None:
    """Every bound of docs/bounds.md; a later test shows that replanning exceeds Lemma 2."""
    mdp = random_mdp(17, slip, discount, shape, count=1000)
    optimal = mdp.optimal_values()
    terminal = optimal + np.random.default_rng(18).choice([-ERROR, ERROR], optimal.shape)
    envelope = lower_envelope(mdp, terminal)
    below = (optimal - envelope).max(axis=-1)
    lost = 0
    for horizon, executed in product(HORIZONS, HORIZONS):
        if executed > horizon:
            continue
        factor = discount**horizon
        loss = (optimal - mpc_values(mdp, terminal, horizon, executed)).max(axis=-1)
        eta = residual(mdp, terminal, executed)
        under = (optimal - terminal).max(axis=-1)
        general = factor * (under + eta / (1.0 - discount**executed))
        assert (general <= 2.0 * factor * ERROR / (1.0 - discount**executed) + 1e-9).all()
        assert (loss <= general + 1e-9).all()
        careful = (optimal - mpc_values(mdp, envelope, horizon, executed)).max(axis=-1)
        assert (careful <= factor * below + 1e-9).all()
        lost += int((loss > 1e-6).sum())
    assert lost > 100  # planners did err


def test_errors_that_are_the_same_everywhere_cost_nothing() -> None:
    mdp = random_mdp(19, 0.1)
    optimal = mdp.optimal_values()
    assert np.allclose(mpc_values(mdp, optimal + 5.0, 2), optimal, rtol=0.0, atol=1e-9)
    # the general bound knows: ε⁻ = −5 and η = 5 (1 − γ)
    assert residual(mdp, optimal + 5.0) == pytest.approx(0.5)


def test_counterexample_to_lemma_2() -> None:
    """The numbers of docs/bounds.md: V*, V̂, the planned values and the loss."""
    bait, horizon, discount = 1e-6, 2, 0.9
    mdp, terminal = detour_chain(horizon, 1, discount, ERROR, bait)
    stay, go = 0, 1
    assert mdp.transitions.argmax(axis=-1).tolist() == [[0, 1], [2, 2], [2, 2]]
    assert mdp.rewards == pytest.approx(np.array([[bait, 0.0], [0.0, 0.0], [0.1, 0.1]]))
    optimal = mdp.optimal_values()
    assert optimal == pytest.approx([0.81, 0.9, 1.0], abs=1e-12)
    assert terminal == pytest.approx([0.86, 0.95, 0.95], abs=1e-12)
    assert np.abs(terminal - optimal).max() == pytest.approx(ERROR, abs=1e-12)
    scores = mdp.action_values(mdp.backup(terminal))[0]
    assert scores[stay] == pytest.approx(0.7695 + bait, abs=1e-12)
    assert scores[go] == pytest.approx(0.7695, abs=1e-12)
    assert best_plan(mdp, terminal, horizon)[:, 0].tolist() == [stay, go]  # stay now, go later; for ever
    loss = (optimal - mpc_values(mdp, terminal, horizon))[0]
    assert loss == pytest.approx(0.81 - bait / (1.0 - discount), abs=1e-9)
    lemma = 2.0 * discount**horizon * ERROR / (1.0 - discount**horizon)
    assert lemma == pytest.approx(0.4263, abs=5e-5)
    assert loss > 1.89 * lemma
    # whoever executes both steps goes, after having stayed once
    assert mpc_values(mdp, terminal, horizon, horizon)[0] == pytest.approx(0.729 + bait, abs=1e-9)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
def test_detour_chains_attain_the_bound(discount: float) -> None:
    """2γ^H ε / (1 − γⁿ), for every share n of the plan: with n = 1 bound 1, with n = H bound 2."""
    for horizon in range(1, 9):
        for executed in range(1, horizon + 1):
            for bait in (1e-4, 1e-7):
                mdp, terminal = detour_chain(horizon, executed, discount, ERROR, bait)
                optimal = mdp.optimal_values()
                assert np.abs(terminal - optimal).max() == pytest.approx(ERROR, abs=1e-9)
                loss = (optimal - mpc_values(mdp, terminal, horizon, executed)).max()
                bound = 2.0 * discount**horizon * ERROR / (1.0 - discount**executed)
                assert loss == pytest.approx(bound - bait / (1.0 - discount**executed), abs=1e-9)


@pytest.mark.parametrize("horizon", range(1, 9))
def test_three_states_attain_the_bound_of_replanning_for_every_horizon(horizon: int) -> None:
    """Stay, or go into a ring of two states, one of which has too low a value."""
    discount, bait = 0.9, 1e-7
    transitions = np.zeros((3, 2, 3))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, :, 2] = transitions[2, :, 1] = 1.0
    rewards = np.zeros((3, 2))
    rewards[0, 0] = bait - 2.0 * discount**horizon * ERROR
    mdp = MDP(transitions, rewards, discount)
    assert mdp.optimal_values() == pytest.approx(0.0)
    terminal = np.full(3, ERROR)
    terminal[2 - horizon % 2] = -ERROR
    loss = -mpc_values(mdp, terminal, horizon)[0]
    assert loss == pytest.approx((2.0 * discount**horizon * ERROR - bait) / (1.0 - discount), abs=1e-9)


@pytest.mark.parametrize("horizon", range(1, 9))
def test_two_states_attain_the_bound_of_lower_envelopes(horizon: int) -> None:
    """Stay, or go to a state whose value is too low: even values of V̂ ≤ BV̂ lose γ^H ε."""
    discount, bait = 0.9, 1e-7
    stay = discount**horizon * ERROR - bait
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, :, 1] = 1.0
    rewards = np.array([[-(1.0 - discount) * stay, 0.0], [0.0, 0.0]])
    mdp = MDP(transitions, rewards, discount)
    terminal = np.array([-stay, -ERROR])
    assert residual(mdp, terminal) <= 1e-12
    loss = -mpc_values(mdp, terminal, horizon)[0]
    assert loss == pytest.approx(discount**horizon * ERROR - bait, abs=1e-9)
