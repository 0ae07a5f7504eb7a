r"""What more labels, features and units buy: values refitted to parts of an aggregation's data.

    python -m experiments.scaling humanoid_getup --override setup.joint_features=true \
        --scratch runs/aggregation/second

Episodes are those that a run of `experiments.aggregation` left in its scratch folder. Each variant is fitted
to a random part of them, as `experiments.aggregation` does, and judged in lockstep by planners with a short
horizon. Held-out episodes are the same for all variants.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.overrides import add_override_option, override_values
from experiments.continuations import Episodes
from experiments.lockstep_runs import judged_run
from experiments.returns import LEARNING, ensemble_regression, fit, held_out_episodes
from experiments.style import (
    Style,
    add_caption,
    add_legend,
    count_in_words,
    draw_means,
    means_in_words,
    new_figure,
)
from experiments.two_hot import network_regression
from polo_ros.arrays import Mask
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.weights import encode_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.progress import progress_bar
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

# states, features (0 for all), units of both hidden layers, and the regression; all states take an hour
VARIANTS = (
    *((states, 0, 64, "ensemble") for states in (3_000, 10_000, 30_000, 100_000, 300_000)),
    (100_000, 34, 64, "ensemble"),
    (100_000, 0, 16, "ensemble"),
    (100_000, 0, 128, "ensemble"),
    *((100_000, 0, 128, regression) for regression in ("normalised", "two-hot")),
    (300_000, 0, 128, "normalised"),
)
# horizon and rollouts of the planners that judge
PLANNERS = ((8, 30), (16, 30), (32, 12))
VARIANT = ("states", "features", "units", "regression")
SETTINGS = (*VARIANT, "horizon", "rollouts", "seed", "steps")
RESULTS = ("used", "explained", "success", "achieved_seconds", "mean_reward")
# folder of the value functions, for `polo rank`
KEPT = Path("runs/scaling")
STYLES = {
    (0, 64, "ensemble"): Style("with joints, 2 × 64 units", BLUE, "o"),
    (34, 64, "ensemble"): Style("34 features, 2 × 64", VERMILION, "s"),
    (0, 16, "ensemble"): Style("with joints, 2 × 16", GREEN, "D"),
    (0, 128, "ensemble"): Style("with joints, 2 × 128", ORANGE, "^"),
    (0, 128, "normalised"): Style("2 × 128, layers normalised", GREY, "v"),
    (0, 128, "two-hot"): Style("2 × 128, normalised, two-hot", PURPLE, "P"),
}


def main() -> None:
    """Fit and judge what is missing, write a row a run, draw, print means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--config", type=Path, help="parameter file (default: the task's own)")
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--scratch", type=Path, required=True, help="folder of the episodes")
    parser.add_argument("--first-seed", type=int, default=9900)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=400, help="control periods a run")
    parser.add_argument("--out", type=Path, default=Path("results/scaling"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    given = override_values(options.override)
    settings = settings_for(options.task, options.config, {**given, "threads": 1})
    paths = [
        path for kind in ("acting", "continued") for path in sorted(options.scratch.glob(f"{kind}-*.npz"))
    ]
    if not paths:
        raise PoloError(
            f"{options.scratch} has no episodes; run `python -m experiments.aggregation {options.task}` first"
        )
    data = [Episodes.read(path) for path in paths]
    stated = " ".join([options.task, *(f"--override {text}" for text in options.override)])
    file = ResultsFile(
        options.out / "scaling.csv", f"# python -m experiments.scaling {stated}", SETTINGS, RESULTS
    )
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    variants = [
        [
            {
                **dict(zip(VARIANT, variant, strict=True)), "horizon": horizon, "rollouts": rollouts,
                "seed": seed, "steps": options.steps,
            }
            for (horizon, rollouts), seed in product(PLANNERS, seeds)
        ]
        for variant in VARIANTS
    ]  # fmt: skip
    every = [job for jobs in variants for job in jobs]
    with progress_bar(len(variants), "fit and judge", "variant") as bar:
        for jobs in variants:
            if missing := file.missing(jobs):
                file.add(judge(missing, data, options, settings.planner.discount), every)
            bar.update()
    frame = file.frame(every)
    draw(frame, options.out / "scaling.png")
    print(frame.groupby(list(SETTINGS[:6]))[list(RESULTS)].mean().to_string(float_format="{:.3f}".format))


def judge(
    jobs: Sequence[Row], data: Sequence[Episodes], options: argparse.Namespace, discount: float
) -> list[Row]:
    """Fit the value function that some runs share, and act with it; keep it where it is a learner's."""
    states, features, units, kind = (jobs[0][name] for name in VARIANT)
    if features:
        data = [replace(part, features=part.features[..., :features]) for part in data]
    scale = 1.0 / (1.0 - discount)
    if kind == "ensemble":
        regression = ensemble_regression(replace(LEARNING, hidden=(units, units), discount=discount))
    else:
        regression = network_regression(units, binned=kind == "two-hot", scale=scale)
    found = fit(data, discount, 0, regression, chosen_episodes(data, states))
    rows = []
    for job in jobs:
        settings = settings_of(job, options)
        result = judged_run(settings, found.value, job["seed"], job["steps"])
        about = {"used": found.trained, "explained": found.explained, **result}
        rows.append(job | {name: about[name] for name in RESULTS})
    if kind == "ensemble":
        origin = Origin.of(settings.task, discount, new_epoch(), 1)
        name = f"{states}-states-{features or 'all'}-features-{units}-units.safetensors"
        KEPT.mkdir(parents=True, exist_ok=True)
        write_atomically(KEPT / name, encode_value(found.value, origin))
    return rows


def settings_of(job: Row, options: argparse.Namespace) -> Settings:
    """What a run plans with: one thread, and a task with the features of its value function."""
    given: dict[str, Any] = override_values(options.override)
    if job["features"]:
        given["setup.joint_features"] = False
    planner = {name: job[name] for name in ("horizon", "rollouts")}
    return settings_for(options.task, options.config, {**given, **planner, "threads": 1})


def chosen_episodes(data: Sequence[Episodes], states: int) -> list[Mask]:
    """Of each part, which episodes (n,) to fit to: random ones with so many states in all, at least.

    The order is that of one permutation, so that more states include fewer.

    Args:
      data: all episodes.
      states: at least so many, or all that are not held out.
    """
    lengths = np.concatenate([np.full(len(part.rewards), part.rewards.shape[1]) for part in data])
    seen = ~np.concatenate([held_out_episodes(part) for part in data])
    order = np.random.default_rng(0).permutation(np.flatnonzero(seen))
    count = int(np.searchsorted(np.cumsum(lengths[order]), states)) + 1
    chosen = np.zeros(len(lengths), bool)
    chosen[order[:count]] = True
    return np.split(chosen, np.cumsum([len(part.rewards) for part in data])[:-1])


def draw(frame: pd.DataFrame, picture: Path) -> None:
    """Mean reward against states fitted to, a panel a planner."""
    planners = list(dict.fromkeys(zip(frame["horizon"], frame["rollouts"], strict=True)))
    figure = new_figure(4.2 * len(planners), 4.8)
    panels = figure.subplots(1, len(planners), sharey=True, squeeze=False)[0]
    for axes, (horizon, rollouts) in zip(panels, planners, strict=True):
        here = frame[(frame["horizon"] == horizon) & (frame["rollouts"] == rollouts)]
        for variant, runs in here.groupby(list(VARIANT[1:]), sort=False):
            style = STYLES[tuple(variant)]
            # beside each other where the number of states is the same
            shift = 1.0 + 0.05 * (list(STYLES).index(tuple(variant)) - len(STYLES) // 2)
            draw_means(axes, runs.assign(used=runs["used"] * shift), "used", "mean_reward", style)
        axes.set(title=f"H = {horizon}, K = {rollouts}", xlabel="states fitted to", xscale="log")
        axes.grid(alpha=0.3)
    panels[0].set(ylabel="mean reward")
    add_legend(figure, panels[0])
    marks = means_in_words(count_in_words([frame["seed"].nunique()]))
    add_caption(
        figure, f"{marks}\nOne fit a variant; runs of {frame['steps'].iloc[0]} control periods in lockstep."
    )
    figure.savefig(picture)


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
