"""`polo reproduce heads`: one value function on humanoids with other heads (figure 4(b))."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from matplotlib.figure import Figure

from experiments.configurations import CONFIGURATIONS, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.statistics import interval
from experiments.training_cache import run_episode
from polo_ros.agent.scores import longest_run
from polo_ros.files import share_path, write_atomically
from polo_ros.parameters.markdown import table

CONFIGURATION = "getup_fifth_torque"
SCALES = (0.5, 1.0, 1.5, 2.0)
HORIZONS = (16, 32)
SEEDS = 3
METHODS = {"mpc": "#7a828c", "polo": "#2a78d6"}


def humanoid(scale: float, folder: Path) -> Path:
    """The humanoid's MJCF with a head of another radius, and of the mass that its density makes."""
    spec = mujoco.MjSpec.from_file(str(share_path("models", "humanoid.xml")))
    for part in (spec.geom("head"), spec.site("head_touch")):
        part.size = np.array(part.size) * scale
    spec.compile()
    path = folder / f"humanoid-head-{scale:g}.xml"
    write_atomically(path, spec.to_xml().encode())
    return path


class Heads(Experiment):
    """Figure 4(b): does a value function learned on one humanoid help to plan for others?"""

    name = "heads"
    summary = "Figure 4(b): the nominal value function on humanoids with other head sizes"
    settings = ("head_scale", "method", "horizon", "seed")
    results = ("mean_reward", "last_reward", "longest_hold")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """Every head, method, horizon and seed."""
        return [
            {"head_scale": scale, "method": method, "horizon": horizon, "seed": seed}
            for seed in range(1 if quick else SEEDS)
            for scale in (SCALES[-1:] if quick else SCALES)
            for horizon in (HORIZONS[:1] if quick else HORIZONS)
            for method in METHODS
        ]

    def training(self, job: Row) -> str:
        """That of the nominal humanoid, for planning with its value function."""
        return CONFIGURATION if job["method"] == "polo" else ""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """One episode without learning; the value function is the nominal humanoid's."""
        configuration, training = CONFIGURATIONS[CONFIGURATION], self.training(job)
        value = configuration.training(folder / training, quick).value if training else None
        changes = configuration.planning(job["horizon"], with_value=bool(training)) | {
            "model_path": str(humanoid(job["head_scale"], folder))
        }
        steps = QUICK_STEPS if quick else configuration.evaluation_steps
        episode = run_episode(configuration.settings(changes), value, job["seed"], steps)
        rewards = episode.rewards
        return [
            {
                "mean_reward": float(rewards.mean()),
                "last_reward": float(rewards[-len(rewards) // 4 :].mean()),
                "longest_hold": longest_run(step.achieved for step in episode.steps) * episode.task.timestep,
            }
        ]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The configuration of training and evaluation."""
        return {CONFIGURATION: CONFIGURATIONS[CONFIGURATION]}

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Mean reward against the head's size, a panel for each horizon."""
        horizons = sorted({int(row["horizon"]) for row in rows})
        figure = Figure(figsize=(4.2 * len(horizons), 3.4), dpi=120, layout="constrained")
        panels = figure.subplots(1, len(horizons), sharey=True, squeeze=False)[0]
        for axes, horizon in zip(panels, horizons, strict=True):
            for method, colour in METHODS.items():
                found = points(rows, method, horizon)
                mean, half = np.array([spread(found[scale]) for scale in sorted(found)]).T
                axes.errorbar(sorted(found), mean, half, color=colour, label=method, marker="o", capsize=3)
            axes.set(title=f"H = {horizon}", xlabel="head radius, times the nominal 0.09 m")
            axes.grid(alpha=0.3)
            axes.legend(frameon=False)
        panels[0].set_ylabel("mean reward")
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Mean reward of every point."""
        lines = []
        for horizon in sorted({int(row["horizon"]) for row in rows}):
            for method in METHODS:
                for scale, rewards in sorted(points(rows, method, horizon).items()):
                    mean, half = spread(rewards)
                    lines.append((horizon, method, f"{scale:g}", len(rewards), f"{mean:.3f} ± {half:.3f}"))
        return table(("horizon", "method", "head", "seeds", "mean reward (95 %)"), lines)


def points(rows: Sequence[Mapping[str, str]], method: str, horizon: int) -> dict[float, list[float]]:
    """The mean rewards of all seeds by the head's scale."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if (row["method"], int(row["horizon"])) == (method, horizon):
            found.setdefault(float(row["head_scale"]), []).append(float(row["mean_reward"]))
    return found


def spread(rewards: Sequence[float]) -> tuple[float, float]:
    """Mean and half the 95 % interval; no interval of one seed."""
    mean, half = interval(np.array(rewards)[:, None])
    return float(mean[0]), float(half[0])
