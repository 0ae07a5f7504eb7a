"""`polo reproduce lookahead`: learning curves for targets of N steps (figure 4(a))."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.configurations import GETUP_FIFTH_TORQUE, evaluation_episodes
from experiments.experiment import Experiment, Row
from polo_ros.arrays import Array
from polo_ros.parameters.markdown import table

CONFIGURATION = replace(GETUP_FIFTH_TORQUE, training_steps=3000, evaluation_steps=250, seeds=3)
LOOKAHEADS = {1: "#7a828c", 4: "#d6a02a", 16: "#2a78d6", 64: "#d6542a"}
TRAININGS = 2
# of the planner that evaluates, as of the one that acts while learning
HORIZON = 32
# columns of metrics.csv by those that rows have here
KEPT = {
    "steps": "steps", "experience": "sim_time", "mean_reward": "reward", "value": "value",
    "loss": "loss", "longest_hold": "longest_hold",
}  # fmt: skip


class Lookahead(Experiment):
    """Figure 4(a): how many steps should targets look ahead before they trust the value function?

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
            for steps in (list(LOOKAHEADS)[:2] if quick else LOOKAHEADS)
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

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Mean reward of each episode against experience, and that of the fresh seeds."""
        figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        horizons = list(by_job(rows))
        for place, (horizon, lives) in enumerate(by_job(rows).items()):
            colour = LOOKAHEADS[horizon]
            curves = [curve(life) for life in lives.values()]
            for experience, rewards in curves:
                left.plot(experience, rewards, color=colour, lw=0.8, alpha=0.5)
            shared = min(len(rewards) for _, rewards in curves)  # as far as all lives went
            mean = np.mean([rewards[:shared] for _, rewards in curves], axis=0)
            left.plot(curves[0][0][:shared], mean, color=colour, lw=2.4, label=f"N = {horizon}")
            fresh = [float(life[0]["fresh_reward"]) for life in lives.values()]
            right.plot([place] * len(fresh), fresh, ls="", marker="o", ms=4, alpha=0.6, color=colour)
            right.plot([place - 0.2, place + 0.2], [np.mean(fresh)] * 2, lw=2.4, color=colour)
        left.set(xlabel="experience, in s", ylabel="mean reward of the episode", title="while learning")
        left.legend(frameon=False)
        right.set(xlabel="steps N of the targets", ylabel="mean reward", title="fresh seeds, after learning")
        right.set_xticks(range(len(horizons)), map(str, horizons))
        right.set_xlim(-0.5, len(horizons) - 0.5)
        for axes in (left, right):
            axes.grid(alpha=0.3)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """What every life earned in its two halves and taught, and what it cost."""
        lines = []
        for horizon, lives in by_job(rows).items():
            for life, episodes in lives.items():
                rewards = np.array([float(row["mean_reward"]) for row in episodes])
                last = episodes[-1]
                fresh = float(last["fresh_reward"])
                lines.append((
                    horizon, life, f"{rewards[: len(rewards) // 2 or 1].mean():.3f}",
                    f"{rewards[len(rewards) // 2 :].mean():.3f}",
                    "exploded" if np.isnan(fresh) else f"{fresh:.3f}", f"{float(last['value']):.1f}",
                    f"{float(last['loss']):.1f}", f"{float(last['learning_cpu_time']):.0f}",
                ))  # fmt: skip
        return table(
            (
                "N",
                "life",
                "mean reward, first half",
                "second half",
                "fresh seeds",
                "mean V of the last episode",
                "loss there",
                "CPU s of learning",
            ),
            lines,
        )


def by_job(rows: Sequence[Mapping[str, str]]) -> dict[int, dict[str, list[Mapping[str, str]]]]:
    """The episodes of each life by target horizon, smallest first."""
    found: dict[int, dict[str, list[Mapping[str, str]]]] = {}
    for row in sorted(rows, key=lambda row: int(row["target_horizon"])):
        found.setdefault(int(row["target_horizon"]), {}).setdefault(row["life"], []).append(row)
    return found


def curve(episodes: Sequence[Mapping[str, str]]) -> tuple[Array, Array]:
    """Experience at the end of each episode, in s, and its mean reward."""
    experience, rewards = np.array(
        [[float(row[name]) for name in ("experience", "mean_reward")] for row in episodes]
    ).T
    return experience, rewards
