"""`polo reproduce bounds`: Lemmas 1 and 2, and what holds instead, against worst cases found by search."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.experiment import Experiment, Row
from experiments.worst_case import CLAIMS, Search
from polo_ros.parameters import markdown

SLIP = 0.1
DISCOUNTS = {0.5: "#2a78d6", 0.9: "#1baa7e", 0.99: "#d6542a"}
# processes with one next state an action are drawn by filled discs, stochastic ones by hollow diamonds
DYNAMICS = {"deterministic": None, "stochastic": SLIP}
MARKERS: dict[str, dict[str, Any]] = {
    "deterministic": {"marker": "o"},
    "stochastic": {"marker": "D", "mfc": "white", "ls": ":"},
}


class Bounds(Experiment):
    """Worst losses of planners with a wrong terminal value, over what bounds allow."""

    name = "bounds"
    summary = "Lemmas 1 and 2 on small MDPs: what bounds allow against the worst cases found by search"
    settings = ("dynamics", "states", "actions", "gamma", "horizon", "epsilon", "seed")
    results = ("bound", "random_mean", "random_worst", "worst", "tried", "violations")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a process size, discount, horizon and seed."""
        sizes = [(3, 2)] if quick else [(3, 2), (5, 3)]
        discounts = [0.9] if quick else DISCOUNTS
        horizons = [1, 2, 4, 8] if quick else range(1, 9)
        seeds = range(1 if quick else 3)
        return [
            dict(zip(self.settings, (dynamics, *size, discount, horizon, 1.0, seed), strict=True))
            for dynamics, size, discount, horizon, seed in product(
                DYNAMICS, sizes, discounts, horizons, seeds
            )
        ]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """A row a bound."""
        search = self.search(job, quick)
        rows = []
        for bound, claim in CLAIMS.items():
            found = search.run(claim, job["horizon"], job["seed"])
            numbers = (float(found.random.mean()), float(found.random.max()), found.worst)
            row = (bound, *numbers, found.tried, found.violations)
            rows.append(dict(zip(self.results, row, strict=True)))
        return rows

    def search(self, job: Row, quick: bool) -> Search:
        """The search of a job."""
        slip = DYNAMICS[job["dynamics"]]
        rounds = 60 if quick else 200
        return Search(job["states"], job["actions"], job["gamma"], slip, rounds=rounds)

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The size of a search, and what the columns mean."""
        search = self.search(self.jobs(quick)[0], quick)
        return {
            "random_mdps": search.candidates,
            "rounds": search.rounds,
            "changes_per_round": [search.parents, search.children],
            "stochastic": f"Dirichlet(0.3) with {SLIP:g} spread evenly",
            "random_mean, random_worst, worst": "ratios of loss to bound",
        }

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """A panel a bound: the worst ratio of all seeds and sizes against the horizon."""
        figure = Figure(figsize=(12.0, 7.0), dpi=100, layout="constrained")
        panels = figure.subplots(2, 3)
        for (bound, claim), axes in zip(CLAIMS.items(), panels.flat, strict=False):
            # where bounds are attained, all discounts lie at 1
            dodge = 0.0 if bound == "lemma_2" else 0.14
            draw_bound(axes, [row for row in rows if row["bound"] == bound], dodge)
            axes.set_title(claim.title.replace(": ", "\n"), size=10)
        for axes in panels[:, 0]:
            axes.set_ylabel("worst loss found / bound")
        horizons, legend = np.arange(1, 9), panels[1, 2]
        legend.axis("off")
        for discount, colour in DISCOUNTS.items():
            if any(float(row["gamma"]) == discount for row in rows):
                ceiling = (1.0 - discount**horizons) / (1.0 - discount)
                panels[1, 1].plot(horizons, ceiling, color="black", lw=0.8, ls="--", zorder=3)
                legend.plot([], [], color=colour, lw=3, label=f"γ = {discount:g}")
        for dynamics, style in MARKERS.items():
            legend.plot([], [], color="black", label=dynamics, **style)
        legend.plot([], [], color="black", lw=0.8, ls="--", label="the worst there is: 1 + γ + … + γᴴ⁻¹")
        legend.plot([], [], color="black", lw=1.2, label="what the bound allows")
        legend.legend(loc="center", frameon=False)
        figure.savefig(folder / "bounds.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Per bound what was tried, then tables of the worst ratios by horizon."""
        lines = [
            "# Bounds against the worst cases found",
            "",
            "Loss over bound, of MDPs with V̂ off by up to ε; a bound that holds stays at or below 1. What",
            "the bounds say, and their proofs: `docs/bounds.md`. A search finds a worst case, not always the",
            "worst there is: of stochastic MDPs, searches differ much.",
            "",
            "![Worst loss over bound against the horizon](bounds.png)",
            "",
        ]
        totals = []
        for bound, claim in CLAIMS.items():
            own = [row for row in rows if row["bound"] == bound]
            tried, above = (sum(int(row[name]) for row in own) for name in ("tried", "violations"))
            mean = np.mean([float(row["random_mean"]) for row in own])
            worst = [max(float(row[name]) for row in own) for name in ("random_worst", "worst")]
            totals.append((claim.title, tried, above, f"{mean:.3f}", f"{worst[0]:.3f}", f"{worst[1]:.4f}"))
        head = ("bound", "MDPs tried", "above the bound", "random MDPs: mean", "worst", "worst by search")
        lines += markdown.table(head, totals)
        factor = 2.0 * max(by_horizon([row for row in rows if row["bound"] == "replan"])[1])
        lines += [
            "",
            f"Lemma 1 is H = 1: the greedy policy's worst loss found is {factor:.4f} γε / (1 − γ), and no",
            "process has more than 2.",
        ]
        for dynamics in DYNAMICS:
            for discount in sorted({row["gamma"] for row in rows}, key=float):
                own = [row for row in rows if (row["dynamics"], row["gamma"]) == (dynamics, discount)]
                lines += ["", f"## γ = {discount}, {dynamics}", "", *table(own)]
        return lines


def draw_bound(axes: Axes, rows: Sequence[Mapping[str, str]], dodge: float) -> None:
    """One panel: a line a discount and dynamics, the discounts side by side by `dodge`."""
    for dynamics, style in MARKERS.items():
        for shift, (discount, colour) in zip((-dodge, 0.0, dodge), DISCOUNTS.items(), strict=True):
            worst = by_horizon(
                [row for row in rows if row["dynamics"] == dynamics and float(row["gamma"]) == discount]
            )
            heights = [max(ratios) for ratios in worst.values()]
            axes.plot(np.array(list(worst)) + shift, heights, color=colour, lw=1.0, ms=4.5, **style)
    axes.axhline(1.0, color="black", lw=1.2, zorder=0)
    axes.set_ylim(0.0, max(1.12, 1.06 * axes.get_ylim()[1]))
    axes.set_xticks(sorted({int(row["horizon"]) for row in rows}))
    axes.set_xlabel("horizon H")
    axes.spines[["top", "right"]].set_visible(False)


def by_horizon(rows: Sequence[Mapping[str, str]]) -> dict[int, list[float]]:
    """The worst ratios of all seeds and sizes by horizon."""
    found: dict[int, list[float]] = {}
    for row in rows:
        found.setdefault(int(row["horizon"]), []).append(float(row["worst"]))
    return found


def table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A line a bound, a column a horizon: the worst ratio of all searches, and the least of them."""
    horizons = sorted({int(row["horizon"]) for row in rows})
    lines = []
    for bound in CLAIMS:
        found = by_horizon([row for row in rows if row["bound"] == bound])
        cells = [f"{max(ratios):.3f} ({min(ratios):.3f})" for ratios in found.values()]
        lines.append((bound, *cells))
    return markdown.table(("worst (least of the searches)", *(f"H={horizon}" for horizon in horizons)), lines)
