"""`polo reproduce cost`: experience and computing until getup is learned from an untrained value function."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.configurations import GETUP_FIFTH_TORQUE, QUICK_STEPS, evaluation_episodes
from experiments.experiment import Experiment, Row
from experiments.style import CONFIGURATION_NAMES, RUN_STYLES, add_legend, new_figure
from experiments.training_cache import STANDING_HEIGHT, Training, longest_standing, trained
from polo_ros.agent.scores import longest_run
from polo_ros.parameters.markdown import table
from polo_ros.viewer.figures import GREEN, GREY

CONFIGURATION = GETUP_FIFTH_TORQUE
# of the planner that evaluates
HORIZON = 32
TRAININGS = 2
# steps of training after which it is evaluated
MARKS = (3000, 6000, 12000)
# start seeds of evaluation, and the control periods that each has to rise and stay up
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
    settings = ("training",)
    results = ("steps", "experience", "core_hours", "held", "held_upright", "of", "mean_reward")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a training."""
        return [{"training": seed} for seed in range(1 if quick else TRAININGS)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Train, and evaluate at every mark on start seeds that no training had, first without training."""
        training: Training | None = None
        start, rows = None, []
        settings = CONFIGURATION.training_settings(quick)
        acting = CONFIGURATION.settings(CONFIGURATION.planning(HORIZON, with_value=True))
        for mark in (0, *((QUICK_STEPS,) if quick else MARKS)):
            if mark:
                out = folder / f"training-{job['training']}" / f"steps-{mark}"
                training = trained(settings, mark, CONFIGURATION.episode_steps, job["training"], out, start)
                start = out
            value = training.value if training else None
            episodes = evaluation_episodes(acting, value, FRESH, STEPS, quick)
            needed = round(HOLD / acting.task.timestep)
            up = [longest_standing(episode) for episode in episodes]
            upright = [longest_run(step.achieved for step in episode.steps) for episode in episodes]
            rows.append(
                {
                    "steps": mark,
                    "experience": mark * acting.task.timestep,
                    "core_hours": training.cpu_time / 3600.0 if training else 0.0,
                    "held": sum(run >= needed for run in up),
                    "held_upright": sum(run >= needed for run in upright),
                    "of": len(episodes),
                    "mean_reward": float(np.mean([episode.rewards.mean() for episode in episodes])),
                }
            )
        return rows

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """What is learned and how it is evaluated."""
        return {
            "held": f"root above {STANDING_HEIGHT:g} m for {HOLD:g} s without a break within {STEPS} steps",
            "horizon": HORIZON,
            "configuration": CONFIGURATION,
        }

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """The share of fresh seeds that stand, against experience and against computing."""
        figure = new_figure(9, 3.9)
        panels = figure.subplots(1, 2, sharey=True)
        columns = {"experience": "experience, in s", "core_hours": "computing, in CPU core-hours"}
        for axes, (column, label) in zip(panels, columns.items(), strict=True):
            for (training, rows), style in zip(frame.groupby("training"), RUN_STYLES, strict=False):
                axes.plot(
                    rows[column], rows["held"] / rows["of"], color=style.colour, marker=style.marker,
                    label=f"training run {training}",
                )  # fmt: skip
            axes.axhline(ENOUGH / FRESH, color=GREY, lw=1, ls="--", label=f"goal: {ENOUGH} of {FRESH} seeds")
            axes.set(xlabel=label, ylim=(-0.03, 1.03))
            axes.grid(alpha=0.3)
        experience, hours = PAPER
        panels[0].axvline(
            experience, color=GREEN, lw=1, ls=":", label=f"experience in the paper: {experience:g} s"
        )
        panels[1].text(
            0.98, 0.04, f"computing in the paper:\n{hours:g} core-hours (far right of the axis)", color=GREEN,
            transform=panels[1].transAxes, ha="right", fontsize=9,
        )  # fmt: skip
        panels[0].set_ylabel(f"share of {FRESH} fresh start seeds\nthat stand for {HOLD:g} s")
        add_legend(figure, panels[0], f"{CONFIGURATION_NAMES['getup_fifth_torque']}: POLO, H = {HORIZON}")
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Every mark of every training run, and the paper's figures."""
        columns = (
            "training run", "experience, in s", "CPU core-hours",
            f"seeds with the root above 1 m for {HOLD:g} s", "of these with an upright torso", "mean reward",
        )  # fmt: skip
        lines = [
            (
                row.training, f"{row.experience:g}", f"{row.core_hours:.2f}", f"{row.held} of {row.of}",
                row.held_upright, f"{row.mean_reward:.3f}",
            )
            for row in frame.itertuples()
        ]  # fmt: skip
        experience, hours = PAPER
        return table(columns, [*lines, ("the paper", f"{experience:g}", f"{hours:g}", "-", "-", "-")])
