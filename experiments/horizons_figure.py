"""Pictures and table of `polo reproduce horizons`."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.style import (
    CONFIGURATION_NAMES,
    METHODS,
    add_caption,
    add_legend,
    count_in_words,
    draw_means,
    means_in_words,
    new_figure,
)
from polo_ros.parameters.markdown import table

# the pictures of reward against horizon, a panel a configuration
REWARD_PICTURES = {
    "horizons.png": ("getup", "hand", "cartpole"),
    "horizons_getup.png": ("getup_fifth_torque", "getup_fifth_torque_taught", "getup_paper_sampler"),
}
MEASURE_PICTURE = "horizons_value_alone.png"
# lower limits of mean reward where runs would spoil the scale: one in which the humanoid leaps off has -20
LOWER_LIMITS = {"getup": 0.0}
# methods at one horizon stand side by side on the logarithmic axis
SIDE_STEPS = {"mpc": 0.94, "polo": 1.06, "value_only": 1.0}
# what counts as a hold in the table, in s
HOLD = 1.0


def draw_rewards(frame: pd.DataFrame, folder: Path) -> None:
    """Mean reward against the horizon, in one row of panels a picture."""
    for name, configurations in REWARD_PICTURES.items():
        shown = [one for one in configurations if one in set(frame["configuration"])]
        if not shown:
            continue
        figure = new_figure(3.4 * len(shown), 3.9)
        clipped = False
        for axes, configuration in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            runs = frame[frame["configuration"] == configuration]
            clipped |= draw_panel(axes, runs, LOWER_LIMITS.get(configuration, -np.inf))
            axes.set_title(panel_title(configuration))
        figure.axes[0].set_ylabel("mean reward of an episode")
        add_legend(figure, figure.axes[0])
        seeds = count_in_words(
            frame[frame["configuration"].isin(shown)].groupby(["configuration", "method"])["seed"].nunique()
        )
        says = f"{means_in_words(seeds)}\nValue alone: the plan maximises the terminal value and no reward."
        if clipped:
            says += (
                "\nTriangles: runs below the axis (the humanoid leaps off), with their mean reward; "
                "mean and interval leave them out."
            )
        add_caption(figure, says)
        figure.savefig(folder / name)


def panel_title(configuration: str) -> str:
    """The configuration's name, a line a part."""
    return CONFIGURATION_NAMES[configuration].replace(", ", ",\n")


def draw_panel(axes: Axes, runs: pd.DataFrame, lowest: float) -> bool:
    """One configuration's rewards; returns whether a run lies below the lowest reward that is shown."""
    runs = runs.assign(place=runs["horizon"] * runs["method"].map(SIDE_STEPS))
    below = runs["mean_reward"] < lowest
    for method, style in METHODS.items():
        chosen = runs[~below & (runs["method"] == method)]
        if len(chosen):
            draw_means(axes, chosen, "place", "mean_reward", style)
    horizons = sorted(runs["horizon"].unique())
    axes.set_xscale("log")
    axes.set_xticks(horizons, [str(horizon) for horizon in horizons])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("planning horizon H, in steps")
    axes.grid(alpha=0.3)
    if below.any():
        axes.set_ylim(bottom=lowest)
    for run in runs[below].itertuples():
        style = METHODS[run.method]
        axes.plot(run.place, lowest, "v", color=style.colour, ms=7, clip_on=False)
        said = f"{run.mean_reward:.1f}".replace("-", "−")
        axes.annotate(
            said, (run.place, lowest), (6, 4), textcoords="offset points", fontsize=9, color=style.colour
        )
    return bool(below.any())


def draw_measures(frame: pd.DataFrame, measures: dict[str, str], folder: Path) -> None:
    """The task's measure over time: the value alone beside the longest plans without a value function.

    Args:
      frame: the experiment's rows.
      measures: name of the measure with its unit, by configuration.
      folder: of the picture.
    """
    shown = [one for one in CONFIGURATION_NAMES if one in set(frame["configuration"])]
    columns = [name for name in frame.columns if re.fullmatch(r"measure_\d+", name)]
    shares = [int(name.removeprefix("measure_")) for name in columns]
    figure = new_figure(9.6, 3.4 * -(-len(shown) // 3))
    grid = figure.subplots(-(-len(shown) // 3), 3, squeeze=False)
    for unused in grid.flat[len(shown) :]:
        unused.set_axis_off()
    for axes, configuration in zip(grid.flat, shown, strict=False):
        for method, end in (("mpc", "o"), ("value_only", "D")):
            runs = frame[(frame["configuration"] == configuration) & (frame["method"] == method)]
            if runs.empty:
                continue
            runs = runs[runs["horizon"] == runs["horizon"].max()]
            style = METHODS[method]
            axes.plot(shares, runs[columns].T, color=style.colour, lw=0.8, alpha=0.4)
            axes.plot(
                shares, runs[columns].mean(), color=style.colour, lw=2, marker=end, ms=4,
                label=f"{style.label}, H = {runs['horizon'].max()}",
            )  # fmt: skip
        axes.set_title(panel_title(configuration))
        axes.set(xlabel="time, in % of the episode", ylabel=measures[configuration])
        axes.set_ylim(top=axes.get_ylim()[0] + 1.35 * np.ptp(axes.get_ylim()))  # room for the legend
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="upper center", fontsize=9)
    add_caption(figure, "Thin lines: seeds. Thick lines with markers: their mean.")
    figure.savefig(folder / MEASURE_PICTURE)


def report(frame: pd.DataFrame) -> list[str]:
    """Mean reward, holds and goals of every configuration, horizon and method."""
    lines = []
    for (configuration, horizon, method), runs in frame.groupby(
        ["configuration", "horizon", "method"], sort=False
    ):
        rewards = runs["mean_reward"]
        goals = runs["goals"].sum()
        lines.append((
            CONFIGURATION_NAMES[configuration], horizon, METHODS[method].label, len(runs),
            f"{rewards.mean():.3f} ± {rewards.std(ddof=0):.3f}",
            f"{rewards.min():.3f} to {rewards.max():.3f}", f"{runs['last_reward'].mean():.3f}",
            (runs["longest_hold"] >= HOLD).sum(),
            f"{runs['goals_reached'].sum()} of {goals}" if goals else "-",
        ))  # fmt: skip
    head = (
        "task", "horizon H, in steps", "planner", "seeds", "mean reward", "lowest to highest seed",
        "mean reward, last quarter of the episode", f"seeds that hold the goal for {HOLD:g} s",
        "goals reached",
    )  # fmt: skip
    return [
        *table(head, lines),
        "",
        "Mean reward: mean ± standard deviation over all seeds. Value alone: the plan maximises the terminal "
        "value and no reward; the episode is judged by the task's reward.",
    ]
