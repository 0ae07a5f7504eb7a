"""`polo reproduce ablations`: what every part of the learning is worth, one changed at a time."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from polo_ros.errors import PoloError
from polo_ros.experiments.cases import CASES, QUICK, QUICK_STEPS
from polo_ros.experiments.experiment import Experiment, Row
from polo_ros.experiments.lessons import lived
from polo_ros.learner.checkpoint import load_value
from polo_ros.markdown import table
from polo_ros.score import longest_run
from polo_ros.training import train
from polo_ros.value import ValueEnsemble

CASE = "getup-weak"
LIFE = 1000
# of the unchanged lesson: how much a life alone makes a difference
BASE_LIVES = 3
HORIZON = 32
FRESH = tuple(range(1000, 1003))
STEPS = 250
# of the root, in m
STANDING = 1.0


@dataclass(frozen=True)
class Variant:
    """One change.

    Attributes:
      lesson: of the parameters of learning, the acting meanwhile included.
      acting: of those of acting afterwards.
      learns: whether there is a value function at all.
    """

    lesson: dict[str, Any] = field(default_factory=dict)
    acting: dict[str, Any] = field(default_factory=dict)
    learns: bool = True


BASE, ALONE = "unchanged", "planner alone"
VARIANTS = {
    BASE: Variant(),
    ALONE: Variant(learns=False),
    "1 head": Variant({"ensemble_size": 1}),
    "3 heads": Variant({"ensemble_size": 3}),
    "no priors": Variant({"prior_scale": 0.0}),
    "priors x 10": Variant({"prior_scale": 0.1}),
    "κ 0.05 while learning": Variant({"optimism": 0.05}),
    "κ 0.5 while learning": Variant({"optimism": 0.5}),
    "κ -0.25 afterwards": Variant(acting={"optimism": -0.25}),
    "white noise": Variant({"noise": "white"}, {"noise": "white"}),
    "filtered noise": Variant({"noise": "filtered"}, {"noise": "filtered"}),
    "replay buffer of 200": Variant({"buffer_capacity": 200}),
    "120 labels kept": Variant({"label_capacity": 120}),
    "N = 16": Variant({"target_horizon": 16}),
    "targets not bound": Variant({"bound_targets": False}),
    "visited states only": Variant({"end_fraction": 0.0}),
    "2 iterations a label": Variant({"target_iterations": 2}),
    "2 iterations, 60 labels": Variant({"target_iterations": 2, "target_states": 60}),
    "labels as planned": Variant({"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1}),
    "2 × 64 units": Variant({"hidden": (64, 64)}),
    "learning rate × 4": Variant({"learning_rate": 0.002}),
}


class Ablations(Experiment):
    """Getup at a fifth of the gears after a short life, with one thing changed at a time."""

    name = "ablations"
    summary = "What every part of the learning is worth, one changed at a time"
    settings = ("variant", "life")
    results = ("learning_cpu", "reward", "lowest", "highest", "standing", "exploded")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a variant; more lives of the unchanged one."""
        if quick:
            return [{"variant": variant, "life": 0} for variant in (BASE, ALONE)]
        lives = [{"variant": BASE, "life": life} for life in range(BASE_LIVES)]
        return [*lives, *({"variant": variant, "life": 0} for variant in VARIANTS if variant != BASE)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Learn, then act on fresh seeds without learning."""
        case, variant = CASES[CASE], VARIANTS[job["variant"]]
        out = folder / "lives" / f"{list(VARIANTS).index(job['variant'])}-{job['life']}"
        shutil.rmtree(out, ignore_errors=True)  # of an interrupted job, whose computing nobody counted
        value: ValueEnsemble | None = None
        exploded = False
        began = time.process_time()
        if variant.learns:
            studying = case.settings({**case.lesson, **variant.lesson, **(QUICK if quick else {})})
            life, episode = (QUICK_STEPS, QUICK_STEPS) if quick else (LIFE, case.episode)
            try:
                weights = train(studying, life, episode, job["life"], out, resume=False)
                value, _ = load_value(str(weights), studying.task)
            except PoloError:
                exploded = True  # the guard against exploding values; the planner is judged alone
        learning = time.process_time() - began
        acting = case.settings({**case.planning(HORIZON, valued=value is not None), **variant.acting})
        seeds, steps = (FRESH[:1], QUICK_STEPS) if quick else (FRESH, STEPS)
        lives = [lived(acting, value, seed, steps) for seed in seeds]
        rewards = [float(life.rewards.mean()) for life in lives]
        standing = [
            longest_run(bool(life.task.measured(step.report.view) > STANDING) for step in life.steps)
            for life in lives
        ]
        return [
            {
                "learning_cpu": learning,
                "reward": float(np.mean(rewards)),
                "lowest": min(rewards),
                "highest": max(rewards),
                "standing": float(np.mean(standing)) * acting.task.timestep,
                "exploded": int(exploded),
            }
        ]

    def fixed(self, quick: bool) -> str:
        """What is learned, what is changed, and how it is judged."""
        judged = f"judged: {STEPS} steps at horizon {HORIZON}, seeds {FRESH}; a life: {LIFE} steps"
        return f"{judged}; {CASE}: {CASES[CASE]}; variants: {VARIANTS}"

    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Reward of every variant, beside what lives of the unchanged lesson differ by."""
        figure = Figure(figsize=(7.2, 0.27 * len(rows) + 1.1), dpi=120, layout="constrained")
        axes = figure.subplots()
        base = [float(row["reward"]) for row in rows if row["variant"] == BASE]
        axes.axvspan(min(base), max(base), color="#2a78d6", alpha=0.12, lw=0)
        names = list(dict.fromkeys(row["variant"] for row in rows))
        for row in rows:
            place = names.index(row["variant"])
            axes.plot([float(row["lowest"]), float(row["highest"])], [place, place], color="#b8bec6", lw=1)
            axes.plot(float(row["reward"]), place, "o", color="#2a78d6" if place == 0 else "#3b424a")
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlabel("mean reward on fresh seeds; lines: lowest to highest; band: lives unchanged")
        axes.grid(axis="x", alpha=0.3)
        figure.savefig(folder / f"{self.name}.png")

    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Every variant, and its difference to the unchanged lives' mean."""
        base = np.mean([float(row["reward"]) for row in rows if row["variant"] == BASE])
        lines = []
        for row in rows:
            reward = float(row["reward"])
            exploded = " (exploded)" if row["exploded"] == "1" else ""
            lines.append((
                row["variant"] + exploded, row["life"], f"{float(row['learning_cpu']):.0f}", f"{reward:.3f}",
                f"{reward - base:+.3f}", f"{float(row['lowest']):.3f} to {float(row['highest']):.3f}",
                f"{float(row['standing']):.2f}",
            ))  # fmt: skip
        columns = (
            "variant", "life", "CPU of learning, in s", "reward", "to unchanged", "range of seeds",
            "longest above 1 m, in s",
        )  # fmt: skip
        return table(columns, lines)
