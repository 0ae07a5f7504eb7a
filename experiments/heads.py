"""`polo reproduce heads`: one value function on humanoids with other heads (figure 4(b))."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pandas as pd

from experiments import style
from experiments.configurations import CONFIGURATIONS, QUICK_STEPS
from experiments.experiment import Experiment, Row
from experiments.style import draw_means, new_figure
from experiments.training_cache import run_episode
from polo_ros.agent.scores import longest_run
from polo_ros.agent.statistics import half_interval
from polo_ros.files import share_path, write_atomically
from polo_ros.parameters.markdown import table
from polo_ros.viewer.figures import GREEN

CONFIGURATION = "getup_fifth_torque"
SCALES = (0.5, 1.0, 1.5, 2.0)
HORIZONS = (16, 32)
SEEDS = 3
# with the shift that sets them side by side in the picture
METHODS = {"mpc": -0.015, "polo": 0.015}


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
    """Figure 4(b): plans with one humanoid's value function for humanoids with heads of other sizes."""

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

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Mean reward against the head's size, a panel for each horizon."""
        horizons = sorted(frame["horizon"].unique())
        figure = new_figure(4.5 * len(horizons), 4.1)
        panels = figure.subplots(1, len(horizons), sharey=True, squeeze=False)[0]
        for axes, horizon in zip(panels, horizons, strict=True):
            for method, shift in METHODS.items():
                chosen = frame[(frame["horizon"] == horizon) & (frame["method"] == method)]
                chosen = chosen.assign(place=chosen["head_scale"] + shift)
                draw_means(axes, chosen, "place", "mean_reward", style.METHODS[method])
            axes.axvline(1.0, color=GREEN, lw=1, ls=":", label="the head that the value was learned with")
            axes.set(title=f"H = {horizon}", xlabel="radius of the head, as a multiple of 0.09 m")
            axes.set_xticks(sorted(frame["head_scale"].unique()))
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("mean reward of an episode")
        title = f"{style.CONFIGURATION_NAMES[CONFIGURATION]}: one value function, heads of other sizes"
        style.add_legend(figure, panels[0], title)
        seeds = style.count_in_words(frame.groupby(["horizon", "method", "head_scale"])["seed"].nunique())
        style.add_caption(
            figure,
            style.means_in_words(seeds),
        )
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Mean reward of every point."""
        groups = frame.groupby(["horizon", "method", "head_scale"])["mean_reward"]
        points = groups.agg(["count", "mean", half_interval])
        lines = [
            (
                horizon, style.METHODS[method].label, f"{scale:g}", f"{point['count']:.0f}",
                f"{point['mean']:.3f} ± {point['half_interval']:.3f}",
            )
            for (horizon, method, scale), point in points.iterrows()
        ]  # fmt: skip
        head = (
            "horizon H, in steps", "planner", "radius of the head, as a multiple of 0.09 m", "seeds",
            "mean reward ± half its 95 % interval",
        )  # fmt: skip
        return table(head, lines)
