"""`polo reproduce bounds`: Lemmas 1 and 2, and the corrected bounds, against worst cases found by search."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.experiment import Experiment, Row
from experiments.style import add_caption, new_figure
from experiments.worst_case import CLAIMS, Search
from polo_ros.parameters import markdown
from polo_ros.viewer.figures import BLUE, GREEN, VERMILION

SLIP = 0.1
DISCOUNTS = {0.5: BLUE, 0.9: GREEN, 0.99: VERMILION}
# the probability of a random next state; None of processes with one next state for each action
DYNAMICS = {"deterministic": None, "stochastic": SLIP}
MARKERS: dict[str, dict[str, Any]] = {
    "deterministic": {"marker": "o"},
    "stochastic": {"marker": "D", "mfc": "white", "ls": ":"},
}


class Bounds(Experiment):
    """The largest losses of planners with a wrong terminal value, over the loss that bounds allow."""

    name = "bounds"
    summary = "Lemmas 1 and 2 on small MDPs: the loss that bounds allow and the worst cases found by search"
    settings = ("dynamics", "states", "actions", "gamma", "horizon", "epsilon", "seed")
    results = ("bound", "random_mean", "random_worst", "worst", "tried", "violations")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a process size, discount, horizon and seed."""
        sizes = [(3, 2)] if quick else [(3, 2), (5, 3)]
        discounts = [0.9] if quick else DISCOUNTS
        horizons = [1, 4] if quick else range(1, 9)
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

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """A panel a bound: the worst ratio of all seeds and sizes against the horizon."""
        figure = new_figure(11, 7.4)
        panels = figure.subplots(2, 3)
        horizons = sorted(frame["horizon"].unique())
        for (bound, claim), axes in zip(CLAIMS.items(), panels.flat, strict=False):
            # where bounds are attained, all discounts lie at 1
            dodge = 0.0 if bound == "lemma_2" else 0.14
            draw_bound(axes, frame[frame["bound"] == bound], dodge)
            axes.set_title(claim.title.replace(": ", "\n"), size=11)
            axes.set(xlabel="horizon H, in steps", xticks=horizons)
        for axes in panels[:, 0]:
            axes.set_ylabel("worst loss found, over the bound")
        legend, steps = panels[1, 2], np.array(horizons)
        legend.axis("off")
        for discount in sorted(frame["gamma"].unique()):
            ceiling = (1.0 - discount**steps) / (1.0 - discount)
            panels[1, 1].plot(steps, ceiling, color="black", lw=0.8, ls="--", zorder=3)
            legend.plot([], [], color=DISCOUNTS[discount], lw=3, label=f"discount γ = {discount:g}")
        for dynamics, style in MARKERS.items():
            legend.plot([], [], color="black", label=f"{dynamics} processes", **style)
        legend.plot([], [], color="black", lw=0.8, ls="--", label="largest possible: 1 + γ + … + γᴴ⁻¹")
        legend.plot([], [], color="black", lw=1.2, label="limit that the bound claims")
        legend.legend(loc="center", frameon=False)
        searches = frame.groupby(["bound", "dynamics", "gamma", "horizon"])["worst"].count().max()
        add_caption(
            figure,
            f"Each marker: the largest ratio that {searches} searches found (seeds, sizes of the process). "
            "Markers of one horizon are shifted sideways where they would cover each other.",
        )
        figure.savefig(folder / "bounds.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Totals of each bound, then tables of the worst ratios by horizon."""
        lines = [
            "# Bounds against the worst cases found",
            "",
            "Loss over bound, of MDPs with V̂ off by up to ε; a bound that holds stays at or below 1. The",
            "bounds are stated and proved in `docs/bounds.md`. A search finds a bad case, not always the",
            "worst: different searches of stochastic MDPs end at quite different ratios.",
            "",
            "![Worst loss over bound against the horizon](bounds.png)",
            "",
        ]
        by_bound = frame.groupby("bound").agg(
            {
                "tried": "sum",
                "violations": "sum",
                "random_mean": "mean",
                "random_worst": "max",
                "worst": "max",
            }
        )
        totals = [
            (
                claim.title, by_bound["tried"][bound], by_bound["violations"][bound],
                f"{by_bound['random_mean'][bound]:.3f}", f"{by_bound['random_worst'][bound]:.3f}",
                f"{by_bound['worst'][bound]:.4f}",
            )
            for bound, claim in CLAIMS.items()
        ]  # fmt: skip
        head = ("bound", "MDPs tried", "above the bound", "random MDPs: mean", "worst", "worst by search")
        lines += markdown.table(head, totals)
        greedy = 2.0 * frame.loc[(frame["bound"] == "replan") & (frame["horizon"] == 1), "worst"].max()
        lines += [
            "",
            f"Lemma 1 is H = 1: the largest loss found of the greedy policy is {greedy:.4f} γε / (1 − γ),",
            "and the lemma allows 2.",
        ]
        for (dynamics, discount), rows in frame.groupby(["dynamics", "gamma"]):
            lines += ["", f"## γ = {discount:g}, {dynamics}", "", *table(rows)]
        return lines


def draw_bound(axes: Axes, rows: pd.DataFrame, dodge: float) -> None:
    """One panel: a line for each discount and dynamics, the discounts side by side by `dodge`."""
    for dynamics, style in MARKERS.items():
        for shift, (discount, colour) in zip((-dodge, 0.0, dodge), DISCOUNTS.items(), strict=True):
            chosen = rows[(rows["dynamics"] == dynamics) & (rows["gamma"] == discount)]
            worst = chosen.groupby("horizon")["worst"].max()
            axes.plot(worst.index + shift, worst, color=colour, lw=1.0, ms=4.5, **style)
    axes.axhline(1.0, color="black", lw=1.2, zorder=0)
    axes.set_ylim(0.0, max(1.12, 1.06 * axes.get_ylim()[1]))
    axes.spines[["top", "right"]].set_visible(False)


def table(rows: pd.DataFrame) -> list[str]:
    """A line for each bound, a column for each horizon: the largest and smallest ratio of the searches."""
    ratios = rows.groupby(["bound", "horizon"])["worst"].agg(["max", "min"])
    cells = ratios.apply(lambda ratio: f"{ratio['max']:.3f} ({ratio['min']:.3f})", axis=1).unstack()
    lines = [(bound, *cells.loc[bound]) for bound in CLAIMS]
    head = ("largest (smallest) ratio of the searches", *(f"H={horizon}" for horizon in cells.columns))
    return markdown.table(head, lines)
