"""Worst cases of model predictive control, found by search, and the bounds on them (`docs/bounds.md`).

A potential Φ added to values (`MDP.shaped`) changes no decision and no loss. With Φ = −V*, every process
becomes one whose optimal values are 0 and whose rewards are its advantages Q* − V*; then V̂ equals its
error, and losses are proportional to it. So the search is restricted to such processes with ε = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.finite_mdp import MDP, lower_envelope, mpc_values, random_transitions, residual
from polo_ros.arrays import Array, Mask

# rounding of losses, in units of ε
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    """Processes, each with a terminal value to plan with.

    Attributes:
      mdp: (...) processes.
      optimal, terminal: V* and V̂, (..., S).
    """

    mdp: MDP
    optimal: Array
    terminal: Array

    @property
    def error(self) -> Array:
        """ε = max |V̂ − V*|, (...)."""
        worst: Array = np.abs(self.terminal - self.optimal).max(axis=-1)
        return worst

    def __getitem__(self, index: Any) -> "Case":
        """Some of the cases, by an index into the leading axes."""
        return Case(self.mdp[index], self.optimal[index], self.terminal[index])


@dataclass(frozen=True)
class Claim:
    """A bound on the loss of a controller that plans with V̂.

    Attributes:
      title: the bound in words and symbols.
      limit: the largest loss that it allows, (...), for cases and a horizon.
      whole_plan: the controller executes all of its plan before it replans, not one step.
      envelope: it assumes V̂ ≤ BV̂.
    """

    title: str
    limit: Callable[[Case, int], Array]
    whole_plan: bool = False
    envelope: bool = False

    def ratios(self, case: Case, horizon: int) -> Array:
        """Loss over bound, (...): the loss V* − V^π of the worst start state over the limit."""
        values = mpc_values(case.mdp, case.terminal, horizon, horizon if self.whole_plan else 1)
        loss = (case.optimal - values).max(axis=-1)
        # an exact V̂ has limit 0 and no loss but rounding
        ratios: Array = loss / np.maximum(self.limit(case, horizon), TOLERANCE)
        return ratios


def _replan(case: Case, horizon: int) -> Array:
    discount = case.mdp.discount
    return 2.0 * discount**horizon * case.error / (1.0 - discount)


def _plan(case: Case, horizon: int) -> Array:
    discount = case.mdp.discount
    return 2.0 * discount**horizon * case.error / (1.0 - discount**horizon)


def _envelope(case: Case, horizon: int) -> Array:
    return case.mdp.discount**horizon * case.error


def _residual(case: Case, horizon: int) -> Array:
    discount = case.mdp.discount
    below: Array = (case.optimal - case.terminal).max(axis=-1)
    return discount**horizon * (below + residual(case.mdp, case.terminal) / (1.0 - discount))


CLAIMS = {
    "replan": Claim("replanning every step: 2γᴴ ε / (1 − γ)", _replan),
    "plan": Claim("executing the whole plan: 2γᴴ ε / (1 − γᴴ)", _plan, whole_plan=True),
    "envelope": Claim("V̂ ≤ BV̂, replanning every step: γᴴ ε", _envelope, envelope=True),
    "residual": Claim("replanning every step: γᴴ (ε⁻ + η / (1 − γ))", _residual),
    "lemma_2": Claim("Lemma 2 as printed, replanning every step: 2γᴴ ε / (1 − γᴴ)", _plan),
}


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
      random: (n,), the ratios of the random processes at its start.
      worst: the largest ratio found.
      tried: the number of processes.
      violations: how many of them exceed the bound.
    """

    random: Array
    worst: float
    tried: int
    violations: int


@dataclass(frozen=True)
class Search:
    """Random search, then random changes of the worst cases that make them worse.

    Attributes:
      states, actions: S and A.
      discount: γ.
      slip: as for `random_transitions`.
      candidates: the number of random processes.
      parents: the number of worst ones that are changed.
      children: changed copies of each parent in a round; the worst of parent and children is kept.
      rounds: the number of rounds of changes.
    """

    states: int
    actions: int
    discount: float
    slip: float | None
    candidates: int = 1000
    parents: int = 16
    children: int = 8
    rounds: int = 200

    def run(self, claim: Claim, horizon: int, seed: int) -> SearchResult:
        """Search for the largest ratio of loss to bound."""
        rng = np.random.default_rng(seed)
        case = self.random_cases(claim, horizon, rng)
        ratios = random = claim.ratios(case, horizon)
        violations = int((ratios > 1.0 + TOLERANCE).sum())
        kept = np.argsort(-ratios)[: self.parents]
        case, ratios = case[kept], ratios[kept]
        for _ in range(self.rounds):
            family = self.changed(claim, case, rng)
            grown = claim.ratios(family, horizon)
            violations += int((grown > 1.0 + TOLERANCE).sum())
            best = grown.argmax(axis=0), np.arange(self.parents)
            case = merged(case, family[best], grown[best] > ratios)
            ratios = np.maximum(grown[best], ratios)
        worst = case[ratios.argmax()]
        # with V* computed again, by policy iteration
        again = claim.ratios(Case(worst.mdp, worst.mdp.optimal_values(), worst.terminal), horizon)
        tried = self.candidates + self.rounds * self.children * self.parents
        return SearchResult(random, float(again), tried, violations)

    def random_cases(self, claim: Claim, horizon: int, rng: np.random.Generator) -> Case:
        """Random processes with V̂ = V* ± ε in each state.

        Rewards are of the order of γ^H ε, where such errors change plans.
        """
        count = self.candidates
        transitions = random_transitions(rng, (count, self.states, self.actions, self.states), self.slip)
        scale = self.discount**horizon * 10.0 ** rng.uniform(-1.0, 1.0, (count, 1, 1))
        rewards = scale * rng.standard_normal((count, self.states, self.actions))
        mdp = MDP(transitions, rewards, self.discount)
        found = mdp.action_values(mdp.optimal_values())
        order = np.argsort(-found, axis=-1)
        transitions = np.take_along_axis(transitions, order[..., None], axis=-2)
        found = np.take_along_axis(found, order, axis=-1)
        errors = rng.choice([-1.0, 1.0], (count, self.states))
        return self.canonical(claim, transitions, found - found[..., :1], errors)

    def canonical(self, claim: Claim, transitions: Array, advantages: Array, errors: Array) -> Case:
        """Cases with V* = 0 and ε = 1, of advantages (..., S, A) of which the first action's are 0."""
        mdp = MDP(transitions, advantages, self.discount)
        if claim.envelope:
            errors = lower_envelope(mdp, errors, sweeps=4)
        size = np.abs(errors).max(axis=-1, keepdims=True)
        # an envelope that equals V* up to rounding: no errors, and all actions equally good
        size[size < TOLERANCE] = np.inf
        errors = errors / size
        mdp = MDP(transitions, advantages / size[..., None], self.discount)
        return Case(mdp, np.zeros_like(errors), errors)

    def changed(self, claim: Claim, case: Case, rng: np.random.Generator) -> Case:
        """Copies of cases, (children, ...), each changed in transitions, advantages, errors or several."""
        shape = (self.children, *case.terminal.shape)
        touched = rng.random((3, *shape[:-1], 1)) < 0.5
        # about every tenth transition drawn anew
        fresh = random_transitions(rng, (*shape, self.actions, self.states), self.slip)
        drawn = (rng.random((*shape, self.actions)) < 0.1) & touched[0, ..., None]
        transitions = np.where(drawn[..., None], fresh, case.mdp.transitions)
        # steps of all sizes: large ones explore, small ones approach the point where the plan changes
        step = 10.0 ** rng.uniform(-4.0, 0.5, (*shape[:-1], 1))
        # one advantage a state larger or smaller
        grown = step[..., None] * rng.standard_normal((*shape, self.actions))
        grown *= rng.integers(self.actions, size=shape)[..., None] == np.arange(self.actions)
        advantages = case.mdp.rewards * np.exp(np.where(touched[1, ..., None], grown, 0.0))
        # errors moved, and about every tenth of the other sign
        signs = np.where(rng.random(shape) < 0.1, -1.0, 1.0)
        moved = np.clip(signs * (case.terminal + step * rng.standard_normal(shape)), -1.0, 1.0)
        errors = np.where(touched[2], moved, case.terminal)
        return self.canonical(claim, transitions, advantages, errors)


def merged(case: Case, other: Case, taken: Mask) -> Case:
    """The other case where it is taken, (n,), else the first."""
    column = taken[:, None]
    mdp = MDP(
        np.where(column[..., None, None], other.mdp.transitions, case.mdp.transitions),
        np.where(column[..., None], other.mdp.rewards, case.mdp.rewards),
        case.mdp.discount,
    )
    return Case(mdp, case.optimal, np.where(column, other.terminal, case.terminal))
