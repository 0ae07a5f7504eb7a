"""`polo reproduce bounds`: its search, its results and its files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.bounds import Bounds
from experiments.finite_mdp import MDP, detour_chain, residual
from experiments.worst_case import CLAIMS, Case, Search

SMALL = Search(states=3, actions=2, discount=0.9, slip=None, candidates=500, rounds=60)


@pytest.mark.parametrize("slip", [None, 0.1])
@pytest.mark.parametrize("name", list(CLAIMS))
def test_cases_have_the_properties_that_the_search_assumes(name: str, slip: float | None) -> None:
    """V* = 0 by policy iteration too, ε = 1, V̂ ≤ BV̂ where that is assumed; random and changed ones."""
    claim, rng = CLAIMS[name], np.random.default_rng(0)
    search = replace(SMALL, slip=slip)
    first = search.random_cases(claim, 3, rng)
    case = first[: search.parents]
    for cases in (first, search.changed(claim, case, rng)):
        assert cases.mdp.optimal_values() == pytest.approx(0.0, abs=1e-12)
        assert (cases.mdp.rewards <= 0.0).all() and (cases.mdp.rewards[..., 0] == 0.0).all()
        # an envelope may come to V* itself
        assert np.isin(cases.error.round(12), [0.0, 1.0] if claim.envelope else [1.0]).all()
        if claim.envelope:
            assert residual(cases.mdp, cases.terminal).max() <= 1e-9
        assert np.allclose(cases.mdp.transitions.sum(axis=-1), 1.0)
        if slip is not None:
            assert cases.mdp.transitions.min() >= slip / 3 - 1e-12


@pytest.mark.parametrize(("name", "executed"), [("replan", 1), ("plan", 3)])
def test_ratios_of_the_chain_that_attains_the_bound(name: str, executed: int) -> None:
    mdp, terminal = detour_chain(3, executed, 0.9, error=0.05, bait=1e-8)
    case = Case(mdp, mdp.optimal_values(), terminal)
    assert CLAIMS[name].ratios(case, 3) == pytest.approx(1.0, abs=1e-6)
    if executed == 1:
        assert CLAIMS["residual"].ratios(case, 3) == pytest.approx(1.0, abs=1e-6)
        assert CLAIMS["lemma_2"].ratios(case, 3) == pytest.approx(1.0 + 0.9 + 0.81, abs=1e-6)


def test_exact_values_cause_no_loss() -> None:
    mdp = MDP(SMALL.random_cases(CLAIMS["plan"], 1, np.random.default_rng(1)).mdp.transitions,
              np.random.default_rng(2).standard_normal((500, 3, 2)), 0.9)  # fmt: skip
    optimal = mdp.optimal_values()
    for claim in CLAIMS.values():
        assert claim.ratios(Case(mdp, optimal, optimal), 2) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("name", ["replan", "plan", "envelope", "residual"])
def test_bounds_hold_and_are_attained_by_search(name: str, horizon: int) -> None:
    found = SMALL.run(CLAIMS[name], horizon, seed=0)
    assert found.violations == 0
    assert 0.99 < found.worst <= 1.0 + 1e-9
    assert found.worst >= found.random.max() and found.random.shape == (500,)
    assert found.tried == 500 + 60 * 16 * 8


def test_search_finds_that_replanning_exceeds_lemma_2() -> None:
    assert SMALL.run(CLAIMS["lemma_2"], 1, seed=0).violations == 0  # with H = 1 it is Lemma 1
    found = SMALL.run(CLAIMS["lemma_2"], 4, seed=0)
    assert found.violations > 100
    assert found.worst == pytest.approx(1.0 + 0.9 + 0.9**2 + 0.9**3, rel=0.01)


def test_search_repeats() -> None:
    runs = [SMALL.run(CLAIMS["plan"], 2, seed) for seed in (3, 3, 4)]
    assert runs[0].worst == runs[1].worst and (runs[0].random == runs[1].random).all()
    assert (runs[0].random != runs[2].random).any()


def test_the_command_writes_table_picture_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bounds", "--quick", "--workers", "1"]) == 0
    out = tmp_path / "runs" / "bounds-quick"
    assert sorted(path.name for path in out.iterdir()) == ["bounds.csv", "bounds.md", "bounds.png"]
    frame = pd.read_csv(out / "bounds.csv", comment="#")
    assert len(frame) == len(Bounds().jobs(quick=True)) * len(CLAIMS)
    assert set(frame["dynamics"]) == {"deterministic", "stochastic"}
    assert set(frame["bound"][frame["violations"] > 0]) == {"lemma_2"}
    lemma_2 = frame["bound"] == "lemma_2"
    assert (frame["worst"][~lemma_2] <= 1.0).all()
    said = capsys.readouterr().out
    assert said == (out / "bounds.md").read_text()
    (line,) = (line for line in said.splitlines() if line.startswith("| Lemma 2"))
    assert f"| {frame['violations'].sum()} |" in line
    worst = frame["worst"][lemma_2].max()
    assert line.endswith(f"| {worst:.4f} |") and worst > 3.0
