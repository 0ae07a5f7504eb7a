"""`polo reproduce lookahead`: learning curves for target horizons N of eq. (7) (figure 4(a))."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from polo_ros.experiments.cases import CASES, QUICK, QUICK_STEPS
from polo_ros.experiments.experiment import Experiment, Row
from polo_ros.experiments.lessons import learned, lived
from polo_ros.markdown import table

CASE = "getup-weak"
COLOURS = {1: "#d6542a", 4: "#c99a2e", 16: "#3f9b6d", 64: "#2a78d6"}
LIFE = 1500
LIVES = 2
# where the learned value is judged without learning
HORIZON = 32
FRESH = tuple(range(1000, 1003))
STEPS = 250


class Lookahead(Experiment):
    """Figure 4(a): how far must the trajectories behind a target look?"""

    name = "lookahead"
    summary = "Figure 4(a): learning curves for N = 1, 4, 16, 64 in the targets"
    settings = ("target_horizon", "life")
    results = ("steps", "mean_reward", "value", "loss", "fresh_reward", "fresh_lowest", "fresh_highest")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a target horizon and life."""
        return [
            {"target_horizon": horizon, "life": life}
            for life in range(1 if quick else LIVES)
            for horizon in (tuple(COLOURS)[:2] if quick else COLOURS)
        ]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Learn, then act on fresh seeds without learning; a row an episode of learning."""
        case = CASES[CASE]
        lesson = {**case.lesson, **(QUICK if quick else {}), "target_horizon": job["target_horizon"]}
        life, episode = (QUICK_STEPS, QUICK_STEPS) if quick else (LIFE, case.episode)
        out = folder / f"N-{job['target_horizon']}-life-{job['life']}"
        value = learned(case.settings(lesson), life, episode, job["life"], out)
        acting = case.settings(case.planning(HORIZON, valued=True))
        seeds, steps = (FRESH[:1], QUICK_STEPS) if quick else (FRESH, STEPS)
        fresh = [float(lived(acting, value, seed, steps).rewards.mean()) for seed in seeds]
        with (out / "metrics.csv").open() as file:
            file.readline()
            episodes = list(csv.DictReader(file))
        judged = {
            "fresh_reward": float(np.mean(fresh)),
            "fresh_lowest": min(fresh),
            "fresh_highest": max(fresh),
        }
        return [
            {
                "steps": int(row["steps"]),
                "mean_reward": float(row["reward"]),
                "value": float(row["value"]),
                "loss": float(row["loss"]),
                **judged,
            }
            for row in episodes
        ]

    def fixed(self, quick: bool) -> str:
        """What is learned, and how it is judged."""
        return f"fresh: {STEPS} steps at horizon {HORIZON}, seeds {FRESH}; {CASE}: {CASES[CASE]}"

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Mean reward of each episode of learning, and of fresh seeds afterwards."""
        timestep = CASES[CASE].settings({}).task.timestep
        figure = Figure(figsize=(8.6, 3.4), dpi=120, layout="constrained")
        learning, judged = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
        for place, (horizon, lives) in enumerate(by_horizon(rows).items()):
            colour = COLOURS[horizon]
            curves = np.array([[float(row["mean_reward"]) for row in life] for life in lives])
            seconds = [int(row["steps"]) * timestep for row in lives[0]]
            for curve in curves:
                learning.plot(seconds, curve, color=colour, lw=0.8, alpha=0.4)
            learning.plot(seconds, curves.mean(axis=0), color=colour, lw=2, label=f"N = {horizon}")
            fresh = [float(life[0]["fresh_reward"]) for life in lives]
            judged.plot([place] * len(fresh), fresh, "o", color=colour)
        learning.set(xlabel="experience, in s", ylabel="mean reward of an episode")
        judged.set(xlabel="N", title="fresh seeds, afterwards", xlim=(-0.5, len(COLOURS) - 0.5))
        judged.set_xticks(range(len(COLOURS)), [str(horizon) for horizon in COLOURS])
        learning.legend(frameon=False)
        for axes in (learning, judged):
            axes.grid(alpha=0.3)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Reward at the end of learning and on fresh seeds, of every life."""
        lines = []
        for horizon, lives in by_horizon(rows).items():
            for life in lives:
                last = np.mean([float(row["mean_reward"]) for row in life[-3:]])
                one = life[0]
                lines.append((
                    horizon, one["life"], f"{last:.3f}", f"{float(one['fresh_reward']):.3f}",
                    f"{float(one['fresh_lowest']):.3f} to {float(one['fresh_highest']):.3f}",
                    f"{float(life[-1]['value']):.1f}", f"{float(one['cpu_time']):.0f}",
                ))  # fmt: skip
        columns = (
            "N", "life", "last three episodes", "fresh seeds", "their range", "value at the end", "CPU, in s",
        )  # fmt: skip
        return table(columns, lines)


def by_horizon(rows: Sequence[Mapping[str, str]]) -> dict[int, list[list[Mapping[str, str]]]]:
    """The rows of every life, by target horizon."""
    lives: dict[tuple[int, str], list[Mapping[str, str]]] = {}
    for row in rows:
        lives.setdefault((int(row["target_horizon"]), row["life"]), []).append(row)
    found: dict[int, list[list[Mapping[str, str]]]] = {}
    for (horizon, _), life in sorted(lives.items()):
        found.setdefault(horizon, []).append(life)
    return found
