"""The picture of a sweep: a panel for each parameter, and a map where two of them vary."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polo_ros.parameters.schema import Value
from polo_ros.sweeps.axes import Axis
from polo_ros.sweeps.outcomes import Objective, Outcome
from polo_ros.sweeps.results_file import text
from polo_ros.viewer.figures import BLUE, GREY, VERMILION, write_figure

DOT = "a combination, mean of its seeds"
COLUMNS = 3
# in inches
PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 4.0, 3.2, 0.8


def draw_sweep(
    outcomes: Sequence[Outcome], axes: Sequence[Axis], objective: Objective, path: Path, title: str
) -> None:
    """Draw the combinations over each parameter, and their map where there are two parameters.

    Args:
      outcomes: ranked, the best first.
      axes: what varies.
      objective: the vertical axis.
      path: of the PNG file.
      title: above the panels.

    Raises:
      PoloError: the file could not be written.
    """
    mapped = len(axes) == 2 and len(outcomes) > 1 and not _searched(outcomes, axes)
    count = len(axes) + mapped
    columns, rows = min(count, COLUMNS), -(-count // COLUMNS)
    size = (PANEL_WIDTH * columns, PANEL_HEIGHT * rows + MARGIN)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
    for panel, axis in zip(panels, axes, strict=False):
        _draw_axis(panel, outcomes, axis, objective, with_line=not _searched(outcomes, axes))
    if mapped:
        _draw_map(figure, panels[2], outcomes, axes, objective)
    for panel in panels[count:]:
        panel.remove()
    figure.suptitle(title)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    write_figure(figure, path)


def _searched(outcomes: Sequence[Outcome], axes: Sequence[Axis]) -> bool:
    """Whether values lie between those of the axes, as a search chooses them."""
    return any(each.values[axis.name] not in axis.values for each in outcomes for axis in axes)


def _draw_axis(
    panel: Axes, outcomes: Sequence[Outcome], axis: Axis, objective: Objective, with_line: bool
) -> None:
    """The mean of each combination over one parameter, and the mean of all that share a value."""
    places = [_place(axis, each.values[axis.name]) for each in outcomes]
    scores = [each.mean for each in outcomes]
    whole = sum(each.complete for each in outcomes)  # those come first
    panel.plot(places[:whole], scores[:whole], "o", ms=4, color=GREY, alpha=0.6, label=DOT)
    if whole < len(outcomes):
        panel.plot(
            places[whole:], scores[whole:], "o", ms=4, color=GREY, alpha=0.6, fillstyle="none",
            label="ended early",
        )  # fmt: skip
    if with_line:
        known = sorted(set(places))
        means = [
            np.mean([score for at, score in zip(places, scores, strict=True) if at == place])
            for place in known
        ]
        panel.plot(known, means, "-", color=BLUE, lw=2, label="mean of all with this value")
    panel.plot(places[0], scores[0], "*", ms=13, color=VERMILION, label="the best")
    if not axis.is_range:
        panel.set_xticks([_place(axis, value) for value in axis.values], [_short(v) for v in axis.values])
    panel.set(xlabel=axis.name, ylabel=objective.name)
    panel.grid(alpha=0.3)


def _draw_map(
    figure: Figure, panel: Axes, outcomes: Sequence[Outcome], axes: Sequence[Axis], objective: Objective
) -> None:
    """The combinations of two parameters as a field of colours with the means."""
    across, up = axes
    field = np.full((len(up.values), len(across.values)), np.nan)
    for each in outcomes:
        field[up.values.index(each.values[up.name]), across.values.index(each.values[across.name])] = (
            each.mean
        )
    image = panel.imshow(field, origin="lower", aspect="auto", cmap="cividis")
    middle = (np.nanmin(field) + np.nanmax(field)) / 2.0
    for (row, column), score in np.ndenumerate(field):
        if np.isfinite(score):
            colour = "black" if score > middle else "white"
            panel.text(column, row, f"{score:.3g}", ha="center", va="center", color=colour, fontsize=8)
    panel.set_xticks(range(len(across.values)), [_short(value) for value in across.values])
    panel.set_yticks(range(len(up.values)), [_short(value) for value in up.values])
    panel.set(xlabel=across.name, ylabel=up.name)
    figure.colorbar(image, ax=panel, label=objective.name)


def _place(axis: Axis, value: Value) -> float:
    """Where a value stands: numbers at their own place, others in a row."""
    if axis.numeric:
        assert isinstance(value, int | float)
        return float(value)
    return float(axis.values.index(value))


def _short(value: Value) -> str:
    """A value as a tick label: of paths the name, of numbers three digits."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return Path(value).name if isinstance(value, str) else text(value)
