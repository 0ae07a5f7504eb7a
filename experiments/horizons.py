"""`polo reproduce horizons`: what a learned value is worth at every planning horizon (figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.configurations import CONFIGURATIONS, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.statistics import interval
from experiments.training_cache import run_episode
from polo_ros.agent.scores import score
from polo_ros.arrays import Array
from polo_ros.parameters.markdown import table
from polo_ros.tasks import task_classes

METHODS = {"mpc": "#7a828c", "polo": "#2a78d6", "value_only": "#d6542a"}
# the measure is kept at this many evenly spread times
MARKS = 10
QUICK_CONFIGURATIONS = ("getup_fifth_torque", "cartpole")


class Horizons(Experiment):
    """Figure 3: reward against horizon for MPC alone and POLO, and the value function on its own."""

    name = "horizons"
    summary = "Figure 3: what a learned value is worth at every planning horizon, and alone"
    settings = ("configuration", "method", "horizon", "seed")
    results = (
        "mean_reward", "last_reward", "longest_hold", "goals", "goals_reached", "diverged_plans",
        *(f"measure_{100 * (mark + 1) // MARKS}" for mark in range(MARKS)),
    )  # fmt: skip

    def jobs(self, quick: bool) -> Sequence[Row]:
        """Every configuration, seed and horizon without and with a value function, and the value alone."""
        jobs: list[Row] = []
        for name in QUICK_CONFIGURATIONS if quick else CONFIGURATIONS:
            configuration = CONFIGURATIONS[name]
            for seed in range(1 if quick else configuration.seeds):
                points = [
                    (method, horizon) for method in ("mpc", "polo") for horizon in configuration.rollouts
                ]
                points.append(("value_only", configuration.value_horizon))
                chosen = [points[0], points[len(points) // 2], points[-1]] if quick else points
                jobs += [
                    {"configuration": name, "method": method, "horizon": horizon, "seed": seed}
                    for method, horizon in chosen
                ]
        return jobs

    def training(self, job: Row) -> str:
        """That of the job's configuration, unless it plans without values."""
        return "" if job["method"] == "mpc" else str(job["configuration"])

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """One episode without learning, judged by the task's reward."""
        configuration, training = CONFIGURATIONS[job["configuration"]], self.training(job)
        acting = configuration.planning(job["horizon"], with_value=bool(training))
        judged = configuration.settings(acting).task
        value = configuration.training(folder / training, quick).value if training else None
        if job["method"] == "value_only":
            acting |= {f"reward.{term.name}": 0.0 for term in judged.terms}
        steps = QUICK_STEPS if quick else configuration.evaluation_steps
        episode = run_episode(configuration.settings(acting), value, job["seed"], steps)
        states, ctrl = episode.states, np.array([step.ctrl for step in episode.steps])
        view = judged.observe(states, ctrl)
        rewards, found = judged.reward(view), score(judged, states)
        marks = (np.arange(1, MARKS + 1) * steps // MARKS) - 1
        return [
            {
                "mean_reward": float(rewards.mean()),
                "last_reward": float(rewards[-len(rewards) // 4 :].mean()),
                **{name: asdict(found)[name] for name in ("longest_hold", "goals", "goals_reached")},
                "diverged_plans": sum(step.report.valid_rollouts == 0 for step in episode.steps),
                **dict(zip(self.results[-MARKS:], map(float, judged.measured(view)[marks]), strict=True)),
            }
        ]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """Every configuration of training and evaluation."""
        return dict(CONFIGURATIONS)

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
            measure = task_classes()[CONFIGURATIONS[name].task].measure
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
