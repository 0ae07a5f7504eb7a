"""What the pictures of experiments and benchmarks share: words, colours, markers and how means are drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polo_ros.agent.statistics import half_interval
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

TASK_NAMES = {
    "cartpole_swingup": "Cart-pole swing-up",
    "cylinder_push": "Cylinder push",
    "hand_cube": "Hand and cube",
    "humanoid_box": "Humanoid and box",
    "humanoid_getup": "Humanoid getup",
    "pointmass_box": "Point mass in a box",
    "pointmass_maze": "Point mass in a maze",
}
CONFIGURATION_NAMES = {
    "getup": "Humanoid getup",
    "hand": "Hand and cube",
    "cartpole": "Cart-pole swing-up",
    "getup_fifth_torque": "Humanoid getup, a fifth of the torque",
    "getup_fifth_torque_taught": "Humanoid getup, a fifth of the torque, value learned from MPC's states",
    "getup_paper_sampler": "Humanoid getup, the paper's sampler",
}


@dataclass(frozen=True)
class Style:
    """How a method is named and drawn.

    Attributes:
      label: its name in legends and tables.
      colour: of its lines and markers.
      marker: tells it apart without the colour.
    """

    label: str
    colour: str
    marker: str


METHODS = {
    "mpc": Style("MPC alone", GREY, "o"),
    "polo": Style("POLO", BLUE, "s"),
    "value_only": Style("value alone", VERMILION, "D"),
}
# of training runs that differ in their seed alone
RUN_STYLES = tuple(
    Style(f"training run {seed}", colour, marker)
    for seed, (colour, marker) in enumerate(((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (ORANGE, "D")))
)


def new_figure(width: float, height: float) -> Figure:
    """A figure of some size, in inches; a page that is 800 pixels wide shows 9 inches legibly."""
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def add_legend(figure: Figure, axes: Axes, title: str = "", ncols: int = 4) -> None:
    """A legend of some axes' labels above all panels, each label once, below a title of the figure."""
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=ncols, frameon=False,
        title=title or None, title_fontsize=12,
    )  # fmt: skip


def add_caption(figure: Figure, text: str) -> None:
    """Say below the panels what markers, bars and bands stand for."""
    figure.supxlabel(text, fontsize=9, color=GREY)


def draw_means(axes: Axes, frame: pd.DataFrame, x: str, y: str, style: Style) -> None:
    """A small dot a row; at every x the mean with its 95 % interval, joined by a line.

    Args:
      axes: where.
      frame: a row a seed and x.
      x: column of the horizontal axis, shifted a little where methods would cover each other.
      y: column of the vertical axis.
      style: of the method.
    """
    means = frame.groupby(x)[y].agg(["mean", half_interval])
    axes.plot(frame[x], frame[y], ls="", marker=".", ms=5, color=style.colour, alpha=0.35)
    axes.errorbar(
        means.index, means["mean"], means["half_interval"], color=style.colour, marker=style.marker, ms=6,
        capsize=3, lw=1.5, label=style.label,
    )  # fmt: skip


def means_in_words(seeds: str) -> str:
    """What the marks of `draw_means` stand for; `seeds` is their number, as `count_in_words` says it."""
    return f"Large markers: mean of {seeds}; error bars: its 95 % interval; small dots: seeds."


def count_in_words(counts: Iterable[int], noun: str = "seed") -> str:
    """The smallest and the largest of some counts: "5 seeds", or "3 to 5 seeds" where they differ."""
    low, high = min(counts := list(counts)), max(counts)
    return f"{low if low == high else f'{low} to {high}'} {noun}{'s' * (high > 1)}"
