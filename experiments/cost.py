"""`polo reproduce cost`: experience and computing until getup is learned from nothing."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.configurations import CASES, QUICK_STEPS, fresh_lives
from experiments.experiment import Experiment, Row
from experiments.training_cache import STANDING, longest_up
from polo_ros.agent.scores import longest_run
from polo_ros.agent.training import train
from polo_ros.learner.weights import load_value
from polo_ros.parameters.markdown import table

CASE = "getup-weak"
# the planner that the value function is to help
HORIZON = 32
LIVES = 2
MARKS = (3000, 6000, 12000)
# fresh start seeds, and how long each has to rise and stay up
FRESH = 10
STEPS = 400
HOLD = 2.0  # s
ENOUGH = 9
# of the paper: experience in s, and core-hours
PAPER = (96.0, 24.0)


class Cost(Experiment):
    """How much experience and computing it takes until nine of ten fresh seeds stand for 2 s."""

    name = "cost"
    summary = "Experience and core-hours until getup is learned from nothing, beside the paper's"
    settings = ("life",)
    results = ("steps", "experience", "core_hours", "held", "held_upright", "of", "mean_reward")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a life."""
        return [{"life": life} for life in range(1 if quick else LIVES)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Learn, and try what was learned on fresh seeds at every mark; without learning first."""
        case = CASES[CASE]
        studying = case.studying(quick)
        acting = case.settings(case.planning(HORIZON, valued=True))
        out = folder / f"life-{job['life']}"
        shutil.rmtree(out, ignore_errors=True)  # of an interrupted job, whose computing nobody counted
        spent, rows, value = 0.0, [], None
        for mark in (0, *((QUICK_STEPS,) if quick else MARKS)):
            if mark:
                began = time.process_time()
                weights = train(studying, mark, case.episode, job["life"], out, resume=out.exists())
                value, _ = load_value(str(weights), acting.task)
                spent += time.process_time() - began
            lives = fresh_lives(acting, value, FRESH, STEPS, quick)
            needed = round(HOLD / acting.task.timestep)
            up = [longest_up(life) for life in lives]
            upright = [longest_run(step.achieved for step in life.steps) for life in lives]
            rows.append(
                {
                    "steps": mark,
                    "experience": mark * acting.task.timestep,
                    "core_hours": spent / 3600.0,
                    "held": sum(run >= needed for run in up),
                    "held_upright": sum(run >= needed for run in upright),
                    "of": len(lives),
                    "mean_reward": float(np.mean([life.rewards.mean() for life in lives])),
                }
            )
        return rows

    def fixed(self, quick: bool) -> str:
        """What is learned and how it is judged."""
        judged = f"root above {STANDING:g} m for {HOLD:g} s on end within {STEPS} steps at horizon {HORIZON}"
        return f"held: {judged}; {CASE}: {CASES[CASE]}"

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Fresh seeds that stand, against experience and against computing."""
        figure = Figure(figsize=(8, 3.2), dpi=120, layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, column, label in zip(
            panels, ("experience", "core_hours"), ("experience, in s", "CPU core-hours"), strict=True
        ):
            for life in dict.fromkeys(row["life"] for row in rows):
                chosen = [row for row in rows if row["life"] == life]
                share = [float(row["held"]) / float(row["of"]) for row in chosen]
                axes.plot([float(row[column]) for row in chosen], share, marker="o", label=f"life {life}")
            axes.axhline(ENOUGH / FRESH, color="#7a828c", lw=1, ls="--")
            axes.set(xlabel=label, ylim=(-0.03, 1.03))
            axes.grid(alpha=0.3)
        panels[0].set_ylabel(f"share of fresh seeds that stand {HOLD:g} s")
        panels[0].legend(frameon=False)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Every mark of every life, and the paper's figures."""
        columns = (
            "life",
            "experience, in s",
            "CPU core-hours",
            "root above 1 m for 2 s",
            "and upright",
            "mean reward",
        )
        lines = [
            (
                row["life"], f"{float(row['experience']):g}", f"{float(row['core_hours']):.2f}",
                f"{row['held']} of {row['of']}", row["held_upright"], f"{float(row['mean_reward']):.3f}",
            )
            for row in rows
        ]  # fmt: skip
        experience, hours = PAPER
        return table(columns, [*lines, ("the paper's", f"{experience:g}", f"{hours:g}", "-", "-", "-")])
