"""Exact model predictive control in Markov decision processes of a few states (`docs/bounds.md`).

All functions take many processes at once: `...` in the shapes stands for the same leading axes
everywhere. Expectations are sums and values come from linear solves, so that results are exact up to
rounding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array

Actions = NDArray[np.intp]
# policy iteration changes to an action that is better by more than this, relative to the values
_TIE = 1e-12


@dataclass(frozen=True)
class MDP:
    """Markov decision processes with S states and A actions.

    Attributes:
      transitions: (..., S, A, S), the probability of each next state.
      rewards: (..., S, A), expected.
      discount: γ, of all of them.
    """

    transitions: Array
    rewards: Array
    discount: float

    def __getitem__(self, index: Any) -> "MDP":
        """Some of the processes, by an index into the leading axes."""
        return MDP(self.transitions[index], self.rewards[index], self.discount)

    def action_values(self, values: Array) -> Array:
        """r(s, a) + γ E[V(s')], (..., S, A), of values (..., S)."""
        # one vector of values a process, as a column beside each state's (A, S) matrix
        columns = values[..., None, :, None]
        expected: Array = self.rewards + self.discount * (self.transitions @ columns)[..., 0]
        return expected

    def backup(self, values: Array) -> Array:
        """The Bellman operator: (BV)(s) = max_a r(s, a) + γ E[V(s')], (..., S) to (..., S)."""
        best: Array = self.action_values(values).max(axis=-1)
        return best

    def under(self, policy: Actions) -> tuple[Array, Array]:
        """The transitions (..., S, S) and rewards (..., S) under one action a state, (..., S)."""
        index = policy[..., None]
        transitions = np.take_along_axis(self.transitions, index[..., None], axis=-2)[..., 0, :]
        return transitions, np.take_along_axis(self.rewards, index, axis=-1)[..., 0]

    def policy_values(self, policy: Actions) -> Array:
        """V^π, (..., S), of one action a state, (..., S)."""
        transitions, rewards = self.under(policy)
        return solve(self.discount * transitions, rewards)

    def optimal_values(self) -> Array:
        """V*, (..., S), by policy iteration."""
        policy = self.rewards.argmax(axis=-1)
        while True:
            values = self.policy_values(policy)
            found = self.action_values(values)
            kept = np.take_along_axis(found, policy[..., None], axis=-1)[..., 0]
            better = found.max(axis=-1) > kept + _TIE * (1.0 + np.abs(values))
            if not better.any():
                return values
            policy = np.where(better, found.argmax(axis=-1), policy)

    def shaped(self, potential: Array) -> "MDP":
        """The same decisions, every value raised by a potential, (..., S).

        r(s, a) + Φ(s) − γ E[Φ(s')] (Ng, Harada and Russell, 1999).
        """
        expected = (self.transitions @ potential[..., None, :, None])[..., 0]
        rewards = self.rewards + potential[..., None] - self.discount * expected
        return MDP(self.transitions, rewards, self.discount)


def solve(matrix: Array, constant: Array) -> Array:
    """The x of x = matrix x + constant, (..., S, S) and (..., S) to (..., S)."""
    solution = np.linalg.solve(np.eye(matrix.shape[-1]) - matrix, constant[..., None])
    return np.asarray(solution[..., 0], np.float64)


def best_plan(mdp: MDP, terminal: Array, horizon: int) -> Actions:
    """The best closed-loop plan with a terminal value (eq. (3)), by dynamic programming.

    Args:
      mdp: S states.
      terminal: V̂, (..., S).
      horizon: H.

    Returns:
      The action at each stage 0 … H−1 in each state, (..., H, S). Where processes are deterministic,
      following it from a state is the best sequence of actions from there.
    """
    stages = []
    for _ in range(horizon):
        found = mdp.action_values(terminal)
        stages.append(found.argmax(axis=-1))
        terminal = found.max(axis=-1)
    return np.stack(stages[::-1], axis=-2)


def mpc_values(mdp: MDP, terminal: Array, horizon: int, executed: int = 1) -> Array:
    """The value, (..., S), of planning `horizon` steps ahead and replanning after `executed` of them.

    The controller's action depends on the state and on the stage within the plan. All stages but the first
    are eliminated from the linear system over both: what remains are the rewards of `executed` steps and
    the transitions over them.

    Args:
      mdp: S states.
      terminal: V̂, (..., S).
      horizon: H, the steps planned.
      executed: n, from 1 (the paper's controller) to `horizon`.
    """
    plan = best_plan(mdp, terminal, horizon)
    matrix, constant = np.eye(mdp.rewards.shape[-2]), np.zeros_like(terminal)
    for stage in reversed(range(executed)):
        transitions, rewards = mdp.under(plan[..., stage, :])
        constant = rewards + mdp.discount * (transitions @ constant[..., None])[..., 0]
        matrix = mdp.discount * transitions @ matrix
    return solve(matrix, constant)


def residual(mdp: MDP, values: Array, steps: int = 1) -> Array:
    """η = max over states of V − BⁿV, (...): how far V exceeds its n-step backup."""
    backed = values
    for _ in range(steps):
        backed = mdp.backup(backed)
    worst: Array = (values - backed).max(axis=-1)
    return worst


def lower_envelope(mdp: MDP, values: Array, sweeps: int = 50) -> Array:
    """Values V ≤ BV below the given ones, (..., S) to (..., S).

    V ← min(V, BV) converges to the largest such V at the rate γ per sweep. What is missing after the given
    number of sweeps is subtracted from all states: B(V − c) = BV − γc.
    """
    for _ in range(sweeps):
        values = np.minimum(values, mdp.backup(values))
    missing = residual(mdp, values) / (1.0 - mdp.discount)
    return values - np.maximum(missing, 0.0)[..., None]


def random_transitions(rng: np.random.Generator, shape: tuple[int, ...], slip: float | None = None) -> Array:
    """Transitions of a shape (..., S, A, S).

    Args:
      rng: random numbers.
      shape: (..., S, A, S).
      slip: None for one next state each; else uneven probabilities of all next states (Dirichlet 0.3),
        of which this share is spread evenly.
    """
    count = shape[-1]
    if slip is None:
        certain: Array = np.eye(count)[rng.integers(count, size=shape[:-1])]
        return certain
    return (1.0 - slip) * rng.dirichlet(np.full(count, 0.3), size=shape[:-1]) + slip / count


def detour_chain(
    horizon: int, executed: int, discount: float, error: float, bait: float
) -> tuple[MDP, Array]:
    """The chain on which replanning after n of H steps attains the bound 2γ^H ε / (1 − γⁿ).

    In state 0, action 0 takes a detour of n steps back to state 0 and earns `bait`; action 1 goes along
    states 1 … H to the goal H, the only other reward. Elsewhere both actions do the same. V̂ is ε too low
    at the goal and ε too high everywhere else. With n = 1, H = 2, γ = 0.9 and ε = 0.05 it is the
    counterexample to Lemma 2 of `docs/bounds.md`.

    Args:
      horizon, executed: H and n.
      discount: γ.
      error: ε.
      bait: in (0, 2γ^H ε); the loss falls short of the bound by bait / (1 − γⁿ).

    Returns:
      The process, of H + n states, and V̂, (H + n,).
    """
    count = horizon + executed
    transitions, rewards = np.zeros((count, 2, count)), np.zeros((count, 2))
    following = np.arange(1, count + 1) % count
    following[horizon] = horizon
    transitions[np.arange(count), :, following] = 1.0
    # the detour's other states come after the goal; with n = 1 there are none
    transitions[0, 0] = np.eye(count)[(horizon + 1) % count]
    rewards[0, 0] = bait
    # moving costs nothing, so that a detour loses (1 − γⁿ) γ^H of the goal's value, here 2γ^H ε
    goal = 2.0 * error / (1.0 - discount**executed)
    rewards[horizon] = (1.0 - discount) * goal
    mdp = MDP(transitions, rewards, discount)
    terminal = mdp.optimal_values() + error
    terminal[horizon] -= 2.0 * error
    return mdp, terminal
