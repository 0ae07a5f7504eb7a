"""Rank correlations by phase: labels among themselves, and value functions with labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, write_figure

COLOURS = ("#b0b0b0", GREY, BLUE, VERMILION, GREEN, ORANGE, PURPLE)
MARKERS = "_sDo^v*"
# between two lines of one phase, in units of the distance between phases
SHIFT = 0.11


def rank_plot(summary: Mapping[str, Mapping[str, tuple[float, float, int]]], path: Path, title: str) -> None:
    """Draw means with their intervals.

    Args:
      summary: of each phase, of each line: mean, half of the interval, number of groups of siblings.
      path: of the PNG file; missing folders are made, an older file is replaced as a whole.
      title: above the picture.

    Raises:
      PoloError: the file could not be written.
    """
    from matplotlib.figure import Figure  # takes most of a second to load

    figure = Figure(figsize=(9, 5.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    lines = list(next(iter(summary.values())))
    places = np.arange(len(summary))
    for index, name in enumerate(lines):
        means = np.array([phase[name][0] for phase in summary.values()])
        halves = np.array([phase[name][1] for phase in summary.values()])
        axes.errorbar(
            places + (index - 0.5 * (len(lines) - 1)) * SHIFT, means, np.nan_to_num(halves),
            fmt=MARKERS[index % len(MARKERS)], color=COLOURS[index % len(COLOURS)], ms=8, lw=1.5, capsize=3,
            label=name,
        )  # fmt: skip
    least = min(
        mean - (half if half < 2.0 else 0.0) for phase in summary.values() for mean, half, _ in phase.values()
    )
    lowest = -1.05 if least < -0.45 else -0.5
    counts = [next(iter(phase.values()))[2] for phase in summary.values()]
    axes.set_xticks(places, [f"{name}\n{count} groups" for name, count in zip(summary, counts, strict=True)])
    axes.axhline(0.0, color="#595959", lw=0.8)
    axes.set(ylabel="rank correlation (Spearman)", ylim=(lowest, 1.05), title=title)
    axes.grid(alpha=0.3, axis="y")
    figure.legend(
        loc="outside lower center",
        ncols=1,
        frameon=False,
        title="mean over groups of siblings, 95 % interval",
    )
    write_figure(figure, path)
