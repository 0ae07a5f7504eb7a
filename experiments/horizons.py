"""`polo reproduce horizons`: what a learned value is worth at every planning horizon (figure 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.configurations import CONFIGURATIONS, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.horizons_figure import draw_measures, draw_rewards, report
from experiments.training_cache import run_episode
from polo_ros.agent.scores import score
from polo_ros.tasks import task_classes

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

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Reward against the horizon, and the task's measure over time by the value alone."""
        draw_rewards(frame, folder)
        measures = {name: task_classes()[one.task].measure for name, one in CONFIGURATIONS.items()}
        draw_measures(frame, {name: f"{one.name}, in {one.unit}" for name, one in measures.items()}, folder)

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Mean reward, holds and goals of every configuration, horizon and method."""
        return report(frame)
