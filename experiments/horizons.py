"""`polo reproduce horizons`: what a learned value is worth at every planning horizon (figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.configurations import CASES, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.statistics import interval
from experiments.training_cache import lived
from polo_ros.agent.scores import score
from polo_ros.arrays import Array
from polo_ros.parameters.markdown import table
from polo_ros.tasks import task_classes

METHODS = {"mpc": "#7a828c", "polo": "#2a78d6", "value_only": "#d6542a"}
# the measure is kept at this many evenly spread times
MARKS = 10


class Horizons(Experiment):
    """Figure 3: reward against horizon for MPC alone and POLO, and the value function on its own."""

    name = "horizons"
    summary = "Figure 3: what a learned value is worth at every planning horizon, and alone"
    settings = ("case", "method", "horizon", "seed")
    results = (
        "mean_reward", "last_reward", "longest_hold", "goals", "goals_reached", "diverged_plans",
        *(f"measure_{100 * (mark + 1) // MARKS}" for mark in range(MARKS)),
    )  # fmt: skip

    def jobs(self, quick: bool) -> Sequence[Row]:
        """Every case, seed and horizon without a value function and with it, and the value function alone."""
        jobs: list[Row] = []
        for name, case in CASES.items():
            for seed in range(1 if quick else case.seeds):
                points = [(method, horizon) for method in ("mpc", "polo") for horizon in case.rollouts]
                points.append(("value_only", case.value_horizon))
                chosen = points[:1] + points[-2:-1] if quick else points
                jobs += [{"case": name, "method": m, "horizon": h, "seed": seed} for m, h in chosen]
        return jobs

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """One life without learning; the value function is trained first where there is none yet."""
        case, method = CASES[job["case"]], job["method"]
        acting = case.planning(job["horizon"], valued=method != "mpc")
        judged = case.settings(acting).task
        value = None if method == "mpc" else case.value(folder / job["case"], quick)
        if method == "value_only":
            acting |= {f"reward.{term.name}": 0.0 for term in judged.terms}
        steps = QUICK_STEPS if quick else case.steps
        episode_lived = lived(case.settings(acting), value, job["seed"], steps)
        states = episode_lived.states
        ctrl = np.array([step.ctrl for step in episode_lived.steps])
        view = judged.observe(states, ctrl)
        rewards, found = judged.reward(view), score(judged, states)
        marks = (np.arange(1, MARKS + 1) * steps // MARKS) - 1
        return [
            {
                "mean_reward": float(rewards.mean()),
                "last_reward": float(rewards[-len(rewards) // 4 :].mean()),
                **{name: asdict(found)[name] for name in ("longest_hold", "goals", "goals_reached")},
                "diverged_plans": sum(step.report.valid_rollouts == 0 for step in episode_lived.steps),
                **dict(zip(self.results[-MARKS:], map(float, judged.measured(view)[marks]), strict=True)),
            }
        ]

    def fixed(self, quick: bool) -> str:
        """What each case changes in its task's parameter file, and how long it learns."""
        return "; ".join(f"{name}: {case}" for name, case in CASES.items())

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """For each case the mean reward against the horizon, and the measure over time by value alone."""
        cases = list(dict.fromkeys(row["case"] for row in rows))
        figure = Figure(figsize=(3.4 * len(cases), 6.2), dpi=120, layout="constrained")
        for (above, below), name in zip(figure.subplots(2, len(cases), squeeze=False).T, cases, strict=True):
            for method in ("mpc", "polo"):
                points = means(rows, name, method, ["mean_reward"])
                if not points:
                    continue
                horizons = sorted(points)
                mean = np.array([points[horizon][0][0] for horizon in horizons])
                half = np.array([points[horizon][1][0] for horizon in horizons])
                above.errorbar(
                    horizons, mean, half, color=METHODS[method], label=method, marker="o", capsize=3
                )
            above.set_xscale("log", base=2)
            above.set(title=name, xlabel="horizon, in steps", ylabel="mean reward")
            above.legend(frameon=False)
            for method, wanted in (("mpc", "MPC alone"), ("value_only", "value alone, no rewards")):
                points = means(rows, name, method, self.results[-MARKS:])
                if not points:
                    continue
                mean, half = points[max(points)]
                share = 100 * (np.arange(MARKS) + 1) / MARKS
                below.plot(share, mean, color=METHODS[method], label=f"{wanted}, H={max(points)}")
                below.fill_between(share, mean - half, mean + half, color=METHODS[method], alpha=0.2, lw=0)
            measure = task_classes()[CASES[name].task].measure
            below.set(xlabel="share of the run, in %", ylabel=f"{measure.name}, in {measure.unit}")
            below.legend(frameon=False)
            for axes in (above, below):
                axes.grid(alpha=0.3)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Mean reward, holds and goals of every point."""
        lines = []
        groups: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
        for row in rows:
            groups.setdefault((row["case"], row["horizon"], row["method"]), []).append(row)
        for (case, horizon, method), group in groups.items():
            rewards, last, holds, reached, goals = (
                np.array([float(row[name]) for row in group])
                for name in ("mean_reward", "last_reward", "longest_hold", "goals_reached", "goals")
            )
            lines.append((
                case, horizon, method, len(group), f"{rewards.mean():.3f} ± {rewards.std():.3f}",
                f"{rewards.min():.3f} to {rewards.max():.3f}", f"{last.mean():.3f}",
                f"{int((holds >= 1.0).sum())}",
                f"{int(reached.sum())} of {int(goals.sum())}" if goals.any() else "-",
            ))  # fmt: skip
        return table(
            (
                "case",
                "horizon",
                "method",
                "seeds",
                "mean reward",
                "range",
                "last quarter",
                "held 1 s",
                "goals",
            ),
            lines,
        )


def means(
    rows: Sequence[Mapping[str, str]], case: str, method: str, columns: Sequence[str]
) -> dict[int, tuple[Array, Array]]:
    """Mean and half the 95 % interval of some columns over seeds, by horizon; no interval of one seed."""
    found: dict[int, list[list[float]]] = {}
    for row in rows:
        if (row["case"], row["method"]) == (case, method):
            found.setdefault(int(row["horizon"]), []).append([float(row[name]) for name in columns])
    return {horizon: interval(np.array(values)) for horizon, values in found.items()}
