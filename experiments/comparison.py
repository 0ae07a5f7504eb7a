"""One table of trainings that differ from a base in one thing each."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.configurations import TrainingConfiguration, evaluation_episodes
from experiments.experiment import Experiment, Row
from experiments.style import add_legend, count_in_words, new_figure
from experiments.training_cache import STANDING_HEIGHT, longest_standing
from polo_ros.parameters.markdown import table
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

HORIZONS = (32, 16)
BASE = "base"
RESULTS = ("mean_reward", "lowest_reward", "highest_reward", "longest_up")


@dataclass(frozen=True)
class Variant:
    """What differs from the base.

    Attributes:
      learning: parameters of training; None trains nothing and acts without values.
      acting: parameters of the episodes that evaluate.
    """

    learning: dict[str, Any] | None = field(default_factory=dict)
    acting: dict[str, Any] = field(default_factory=dict)


class Comparison(Experiment):
    """The base's training with one thing changed at a time, evaluated on the same start seeds.

    Attributes:
      title: of the picture.
      configuration: of the base's training and of all evaluations.
      trainings: how many the variants have that train as the base does; they differ in the seed alone and
        show how far apart equal trainings end.
    """

    title: ClassVar[str]
    configuration: ClassVar[TrainingConfiguration]
    trainings: ClassVar[int]
    settings = ("variant", "training")
    results = (
        *(f"{result}_{horizon}" for horizon in HORIZONS for result in RESULTS),
        "learning_cpu_time", "loss", "exploded",
    )  # fmt: skip

    @property
    @abstractmethod
    def variants(self) -> Mapping[str, Variant]:
        """All by name; `BASE` is among them."""

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a variant; several of those that train as the base does, one of which is all if `quick`."""
        jobs: list[Row] = []
        for name, variant in self.variants.items():
            as_base = variant.learning == {}
            if as_base or not quick:
                count = self.trainings if as_base and not quick else 1
                jobs += [{"variant": name, "training": seed} for seed in range(count)]
        return jobs

    def training(self, job: Row) -> str:
        """Named by the first variant that trains in this way; others may evaluate what it learned."""
        learning = self.variants[job["variant"]].learning
        if learning is None:
            return ""
        first = next(name for name, other in self.variants.items() if other.learning == learning)
        return f"{re.sub('[^a-z0-9.]+', '-', first)}-{job['training']}"

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Train, unless another variant has trained in the same way, and evaluate at each horizon."""
        variant, configuration = self.variants[job["variant"]], self.configuration
        value, row = None, {"learning_cpu_time": 0.0, "loss": float("nan"), "exploded": 0}
        if variant.learning is not None:
            out = folder / self.training(job)
            training = configuration.training(out, quick, variant.learning, job["training"])
            value, losses = training.value, training.episodes["loss"]
            row = {
                "learning_cpu_time": training.cpu_time,
                "loss": float(losses.iloc[-1]) if len(losses) else float("nan"),
                "exploded": int(value is None),
            }
        for horizon in HORIZONS:
            found = dict.fromkeys(RESULTS, float("nan"))
            if not row["exploded"]:
                acting = configuration.planning(horizon, with_value=value is not None) | variant.acting
                episodes = evaluation_episodes(
                    configuration.settings(acting), value, configuration.seeds,
                    configuration.evaluation_steps, quick,
                )  # fmt: skip
                rewards = [float(episode.rewards.mean()) for episode in episodes]
                longest = max(map(longest_standing, episodes)) * episodes[0].task.timestep
                judged = (float(np.mean(rewards)), min(rewards), max(rewards), longest)
                found = dict(zip(RESULTS, judged, strict=True))
            row |= {f"{name}_{horizon}": result for name, result in found.items()}
        return [row]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The base's configuration and what each variant changes."""
        return {
            "base": self.configuration,
            "evaluation": "reward of the paper, without learning",
            "longest_up": f"root above {STANDING_HEIGHT:g} m, in s, on the best seed",
            "variants": dict(self.variants),
        }

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Each variant's rewards on fresh seeds at both horizons, over the spread of the base's trainings."""
        variants = list(frame["variant"].unique())
        figure = new_figure(9.6, 1.9 + 0.27 * len(variants))
        panels = figure.subplots(1, len(HORIZONS), sharey=True)
        for axes, horizon in zip(panels, HORIZONS, strict=True):
            column = f"mean_reward_{horizon}"
            base = survivors(frame[frame["variant"] == BASE])[column]
            if len(base):
                axes.axvspan(
                    base.min(),
                    base.max(),
                    color=BLUE,
                    alpha=0.15,
                    lw=0,
                    label="base: range of its training runs",
                )
                axes.axvline(base.mean(), color=BLUE, lw=1.2, label="base: mean")
            for place, variant in enumerate(variants):
                draw_variant(axes, place, frame[frame["variant"] == variant], horizon)
            axes.set(
                title=f"horizon H = {horizon}, K = {self.configuration.rollouts[horizon]} rollouts",
                xlabel="mean reward on fresh seeds",
            )
            axes.grid(alpha=0.3)
        panels[0].set_yticks(range(len(variants)), variants)
        panels[0].set_ylim(len(variants) - 0.4, -0.6)  # the first on top
        add_legend(figure, panels[0], f"Humanoid getup, a fifth of the torque: {self.title}", ncols=2)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Every variant beside the base: rewards, how long it stood, and the computing of learning."""
        base = survivors(frame[frame["variant"] == BASE])
        lines: list[Sequence[object]] = []
        for name, runs in frame.groupby("variant", sort=False):
            alive = survivors(runs)
            exploded = len(runs) - len(alive)
            lines.append((
                name, f"{len(runs)}, {exploded} exploded" if exploded else len(runs),
                *(cell for horizon in HORIZONS for cell in cells(alive, base, horizon)),
                f"{runs['learning_cpu_time'].mean():.0f}",
                "-" if runs["loss"].isna().all() else f"{runs['loss'].mean():.1f}",
            ))  # fmt: skip
        heads = [
            head
            for horizon in HORIZONS
            for head in (
                f"H = {horizon}: mean reward (lowest to highest)",
                "difference to base",
                "longest with the root above 1 m, in s",
            )
        ]
        head = ("variant", "training runs", *heads, "CPU time of learning, in s", "loss, last episode")
        note = "Lowest to highest: over fresh seeds and training runs."
        if len(base) > 1:
            apart = " and ".join(
                f"{base[column].min():.3f} to {base[column].max():.3f} at H = {horizon}"
                for horizon in HORIZONS
                for column in [f"mean_reward_{horizon}"]
            )
            note += (
                " The base's training runs differ in their seed alone, and their mean rewards go from "
                f"{apart}: differences of that size show nothing."
            )
        return [*table(head, lines), "", note]


def survivors(runs: pd.DataFrame) -> pd.DataFrame:
    """The training runs whose values did not explode."""
    return runs[runs["exploded"] == 0]


def cells(alive: pd.DataFrame, base: pd.DataFrame, horizon: int) -> tuple[str, str, str]:
    """A variant's rewards at a horizon, their difference to the base's, and how long it stood."""
    if alive.empty:
        return "-", "-", "-"
    mean, low, high, up = (alive[f"{name}_{horizon}"] for name in RESULTS)
    of_base = alive["variant"].iloc[0] == BASE or base.empty
    apart = "-" if of_base else f"{mean.mean() - base[mean.name].mean():+.3f}"
    return f"{mean.mean():.3f} ({low.min():.3f} to {high.max():.3f})", apart, f"{up.max():.2f}"


def draw_variant(axes: Axes, place: int, runs: pd.DataFrame, horizon: int) -> None:
    """A line for the range over fresh seeds, a dot for each training run."""
    alive = survivors(runs)
    if len(alive) < len(runs):
        text = f"{len(runs) - len(alive)} of {count_in_words([len(runs)], 'training run')} exploded"
        axes.text(
            0.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=VERMILION
        )
    if len(alive):
        mean, low, high, _ = (alive[f"{name}_{horizon}"] for name in RESULTS)
        axes.plot([low.min(), high.max()], [place, place], color=GREY, lw=1.2, label="range over fresh seeds")
        axes.plot(
            mean,
            [place] * len(mean),
            ls="",
            marker="o",
            ms=5,
            color="black",
            label="a training run: mean over fresh seeds",
        )
