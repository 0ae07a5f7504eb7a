"""`polo reproduce lookahead`: learning curves for targets of N steps (figure 4(a))."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.configurations import GETUP_FIFTH_TORQUE, evaluation_episodes
from experiments.experiment import Experiment, Row
from experiments.style import CONFIGURATION_NAMES, RUN_STYLES, add_legend, new_figure
from polo_ros.parameters.markdown import table

CONFIGURATION = replace(GETUP_FIFTH_TORQUE, training_steps=3000, evaluation_steps=250, seeds=3)
LOOKAHEADS = (1, 4, 16, 64)
TRAININGS = 2
# of the planner that evaluates, as of the one that acts while learning
HORIZON = 32
# columns of metrics.csv by those that rows have here
KEPT = {
    "steps": "steps", "experience": "sim_time", "mean_reward": "reward", "value": "value",
    "loss": "loss", "longest_hold": "longest_hold",
}  # fmt: skip


class Lookahead(Experiment):
    """Figure 4(a): learning with targets of different numbers of steps N before the terminal value.

    Labels of long plans cost more to compute; the curves are over experience, as the paper's.
    """

    name = "lookahead"
    summary = "Figure 4(a): learning curves for targets of N = 1, 4, 16 and 64 steps"
    settings = ("target_horizon", "training")
    results = (*KEPT, "fresh_reward", "learning_cpu_time")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a target horizon and training."""
        return [
            {"target_horizon": steps, "training": seed}
            for seed in range(1 if quick else TRAININGS)
            for steps in (LOOKAHEADS[:2] if quick else LOOKAHEADS)
        ]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Train, then evaluate on start seeds that no training had: a row an episode of training."""
        changes = {"target_horizon": job["target_horizon"]}
        out = folder / f"target-horizon-{job['target_horizon']}-training-{job['training']}"
        training = CONFIGURATION.training(out, quick, changes, job["training"])
        reward = float("nan")  # where the values exploded, there is nothing to act with
        if training.value is not None:
            acting = CONFIGURATION.settings(CONFIGURATION.planning(HORIZON, with_value=True))
            count, steps = CONFIGURATION.seeds, CONFIGURATION.evaluation_steps
            evaluation = evaluation_episodes(acting, training.value, count, steps, quick)
            reward = float(np.mean([episode.rewards.mean() for episode in evaluation]))
        # a job must leave a row, even if its first episode did not end
        episodes = training.episodes if len(training.episodes) else training.episodes.reindex([0])
        kept = episodes.rename(columns={column: name for name, column in KEPT.items()})[list(KEPT)]
        found = kept.assign(fresh_reward=reward, learning_cpu_time=training.cpu_time)
        return [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """What is learned and how it is evaluated."""
        return {"configuration": CONFIGURATION, "fresh_reward": "mean of the evaluation", "horizon": HORIZON}

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Learning curves, a panel a target horizon, and what acting with the learned values earns."""
        horizons = sorted(frame["target_horizon"].unique())
        figure = new_figure(11, 4.1)
        *panels, last = figure.subplots(1, len(horizons) + 1, sharey=True)
        means = {
            horizon: rows.groupby("steps").agg({"experience": "mean", "mean_reward": "mean"})
            for horizon, rows in frame.groupby("target_horizon")
        }
        for axes, horizon in zip(panels, horizons, strict=True):
            for other in horizons:
                axes.plot(*means[other].to_numpy().T, color="0.8", lw=1, label="mean at the other N")
            rows = frame[frame["target_horizon"] == horizon]
            for (training, run), style in zip(rows.groupby("training"), RUN_STYLES, strict=False):
                axes.plot(
                    run["experience"], run["mean_reward"], style.marker, color=style.colour, ms=4, alpha=0.6,
                    label=f"training run {training}",
                )  # fmt: skip
            axes.plot(*means[horizon].to_numpy().T, color="black", lw=2, label="mean of the training runs")
            axes.set(title=f"while learning,\nN = {horizon}", xlabel="experience, in s")
        panels[0].set_ylabel("mean reward of an episode")
        fresh = frame.drop_duplicates(["target_horizon", "training"])
        for (_, run), style in zip(fresh.groupby("training"), RUN_STYLES, strict=False):
            places = [horizons.index(horizon) for horizon in run["target_horizon"]]
            last.plot(places, run["fresh_reward"], style.marker, color=style.colour, ms=6, alpha=0.7)
        mean = fresh.groupby("target_horizon")["fresh_reward"].mean()
        last.plot(range(len(horizons)), mean, "_", color="black", ms=22, mew=2.5)
        last.set(title="after learning,\non fresh seeds", xlabel="N, in steps")
        last.set_xticks(range(len(horizons)), [str(horizon) for horizon in horizons])
        last.set_xlim(-0.5, len(horizons) - 0.5)
        for axes in (*panels, last):
            axes.grid(alpha=0.3)
        title = f"{CONFIGURATION_NAMES['getup_fifth_torque']}: learning from targets that look N steps ahead"
        add_legend(figure, panels[0], title)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Rewards of each training run's two halves and of its evaluation, and its computing time."""
        lines = []
        for (horizon, training), run in frame.groupby(["target_horizon", "training"]):
            rewards, last = run["mean_reward"], run.iloc[-1]
            half = len(run) // 2
            lines.append((
                horizon, training, f"{rewards[: half or 1].mean():.3f}", f"{rewards[half:].mean():.3f}",
                "exploded" if np.isnan(last["fresh_reward"]) else f"{last['fresh_reward']:.3f}",
                f"{last['value']:.1f}", f"{last['loss']:.1f}", f"{last['learning_cpu_time']:.0f}",
            ))  # fmt: skip
        head = (
            "target horizon N, in steps", "training run", "mean reward, first half of learning",
            "second half", "fresh seeds, after learning", "mean value, last episode", "loss, last episode",
            "CPU time of learning, in s",
        )  # fmt: skip
        return table(head, lines)
