"""Picture of values from returns: time achieved against rounds, with and without value function."""

from pathlib import Path

import pandas as pd

from experiments.style import (
    TASK_NAMES,
    Style,
    add_caption,
    add_legend,
    count_in_words,
    draw_means,
    means_in_words,
    new_figure,
)
from polo_ros.viewer.figures import BLUE, GREEN, ORANGE, VERMILION

COLOURS = (BLUE, VERMILION, GREEN, ORANGE)
MARKERS = "osD^"


def draw(progress: Path, task: str, seconds: float) -> None:
    """Draw beside `progress.csv` each planner's time achieved against the round; dashed: planner alone.

    Args:
      progress: the file of `experiments.aggregation`.
      task: its name.
      seconds: simulated time of an evaluation.
    """
    frame = pd.read_csv(progress, comment="#")
    figure = new_figure(7.5, 4.8)
    axes = figure.subplots()
    for place, (planner, rows) in enumerate(frame.groupby("planner", sort=False)):
        style = Style(f"{planner}, with the value function", COLOURS[place], MARKERS[place])
        alone = rows.loc[rows["value"] == 0, "achieved_seconds"].mean()
        axes.axhline(alone, ls="--", color=style.colour, lw=1.4, label=f"{planner}, planner alone")
        draw_means(axes, rows[rows["value"] == 1], "round", "achieved_seconds", style)
    axes.set(
        xlabel="round",
        ylabel="time achieved, s",
        ylim=(0.0, seconds),
        xticks=sorted(set(frame["round"]) - {0}),
    )
    axes.grid(alpha=0.3)
    add_legend(figure, axes, f"{TASK_NAMES.get(task, task)}: values from the returns of an expert", ncols=2)
    marks = means_in_words(count_in_words([frame["seed"].nunique()]))
    add_caption(figure, f"{marks}\n{seconds:g} s each, in emulated real time.")
    figure.savefig(progress.with_suffix(".png"))
