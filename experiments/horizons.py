"""`polo reproduce horizons`: what a learned value is worth at every planning horizon (figure 3)."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.configurations import CASES, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.horizons_figure import draw_measures, draw_rewards, report
from experiments.training_cache import lived
from polo_ros.agent.scores import score
from polo_ros.tasks import task_classes

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

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Reward against the horizon, and the task's measure over time by the value alone."""
        draw_rewards(frame, folder)
        measures = {name: task_classes()[case.task].measure for name, case in CASES.items()}
        draw_measures(frame, {name: f"{one.name}, in {one.unit}" for name, one in measures.items()}, folder)

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Mean reward, holds and goals of every configuration, horizon and method."""
        return report(frame)
