"""One table of trainings that differ from a base in one thing each."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.configurations import TrainingConfiguration, evaluation_episodes
from experiments.experiment import Experiment, Row
from experiments.training_cache import STANDING_HEIGHT, longest_standing
from polo_ros.arrays import Array
from polo_ros.parameters.markdown import table

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
      configuration: of the base's training and of all evaluations.
      trainings: how many the variants have that train as the base does; they differ in the seed alone and
        show how far apart equal trainings end.
    """

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

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Each variant's rewards on fresh seeds at both horizons, over the spread of the base's lives."""
        groups = by_variant(rows)
        figure = Figure(figsize=(9, 1.2 + 0.3 * len(groups)), dpi=120, layout="constrained")
        panels = figure.subplots(1, len(HORIZONS), sharey=True)
        for axes, horizon in zip(panels, HORIZONS, strict=True):
            base = numbers(survivors(groups[BASE]), f"mean_reward_{horizon}")
            if len(base):
                axes.axvspan(base.min(), base.max(), color="#2a78d6", alpha=0.15, lw=0)
                axes.axvline(base.mean(), color="#2a78d6", lw=1)
            for place, group in enumerate(groups.values()):
                dots(axes, place, group, horizon)
            axes.set(
                title=f"H = {horizon}, K = {self.case.rollouts[horizon]}", xlabel="mean reward, fresh seeds"
            )
            axes.grid(alpha=0.3, axis="x")
        panels[0].set_yticks(range(len(groups)), list(groups))
        panels[0].set_ylim(len(groups) - 0.4, -0.6)  # the first on top
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Every variant beside the base: rewards, how long it stood, and the computing of learning."""
        groups = by_variant(rows)
        base = survivors(groups[BASE])
        lines: list[Sequence[object]] = []
        for name, group in groups.items():
            alive = base if name == BASE else survivors(group)
            lost = len(group) - len(alive)
            lines.append((
                name, f"{len(group)}, {lost} exploded" if lost else len(group),
                *(cell for horizon in HORIZONS for cell in cells(alive, base, horizon)),
                f"{numbers(group, 'learning_cpu_time').mean():.0f}",
                f"{numbers(group, 'loss').mean():.1f}" if self.variants[name].lesson is not None else "-",
            ))  # fmt: skip
        heads = [
            head
            for horizon in HORIZONS
            for head in (f"H = {horizon}: mean reward (range)", "to base", "longest above 1 m, in s")
        ]
        found = table(("variant", "lives", *heads, "CPU s of learning", "loss"), lines)
        note = "Ranges are over fresh seeds and lives."
        if len(base) > 1:
            rewards = {horizon: numbers(base, f"mean_reward_{horizon}") for horizon in HORIZONS}
            apart = " and ".join(
                f"{means.min():.3f} to {means.max():.3f} at H = {horizon}"
                for horizon, means in rewards.items()
            )
            note += (
                " The base's lives differ in their training seed alone, and their mean rewards go from "
                f"{apart}: differences as small tell nothing."
            )
        return [*found, "", note]


def cells(
    alive: Sequence[Mapping[str, str]], base: Sequence[Mapping[str, str]], horizon: int
) -> tuple[str, str, str]:
    """A variant's rewards at a horizon, their difference to the base's, and how long it stood."""
    if not alive:
        return "-", "-", "-"
    mean, low, high, up = (numbers(alive, f"{name}_{horizon}") for name in RESULTS)
    reference = numbers(base, f"mean_reward_{horizon}")
    apart = "-" if alive is base or not len(reference) else f"{mean.mean() - reference.mean():+.3f}"
    return f"{mean.mean():.3f} ({low.min():.3f} to {high.max():.3f})", apart, f"{up.max():.2f}"


def dots(axes: Axes, place: int, group: Sequence[Mapping[str, str]], horizon: int) -> None:
    """A line for the range over fresh seeds, a dot for each life."""
    alive = survivors(group)
    if len(alive) < len(group):
        text = f"{len(group) - len(alive)} exploded"
        axes.text(0.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    if alive:
        mean, low, high, _ = (numbers(alive, f"{name}_{horizon}") for name in RESULTS)
        axes.plot([low.min(), high.max()], [place, place], color="#7a828c", lw=1)
        axes.plot(mean, [place] * len(mean), ls="", marker="o", ms=5, color="#22303c")


def survivors(group: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The lives whose values did not explode."""
    return [row for row in group if not int(row["exploded"])]


def by_variant(rows: Sequence[Mapping[str, str]]) -> dict[str, list[Mapping[str, str]]]:
    """The lives of each variant, in the rows' order."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        found.setdefault(row["variant"], []).append(row)
    return found


def numbers(rows: Sequence[Mapping[str, str]], column: str) -> Array:
    """A column of rows, (rows,)."""
    return np.array([float(row[column]) for row in rows])
