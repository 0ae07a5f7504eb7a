"""Curves of the last seconds."""

import math
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
import viser
from viser import uplot

from polo_ros.arrays import Array

SPAN_S = 20.0
SAMPLE_PERIOD_S = 0.1
# a number that has not come again within this time is unknown, in s; diagnostics come once a second
KEPT_S = 2.5
# of a plot with its axes, in pixels: several curves need more room than one
HEIGHT, SINGLE_HEIGHT = 125, 95
# above, to the right, below and to the left of the curves: half a number of an axis reaches out
PADDING = (8, 14, 0, 0)
# of axes, to be read on a light and on a dark page
AXIS_COLOUR, GRID_COLOUR = "#868e96", "rgba(128, 128, 128, 0.25)"
AXIS_SIZES = (28, 46)  # below and to the left, in pixels
COLOURS = ("#1c7ed6", "#f08c00", "#2f9e44", "#ae3ec9", "#e03131", "#0c8599", "#5f3dc4", "#868e96")
BAND = "rgba(28, 126, 214, 0.18)"


@dataclass(frozen=True)
class Plot:
    """One plot: its title with the unit and its curves' keys with their names.

    Attributes:
      band: whether the last two curves are the edges of a band.
    """

    title: str
    curves: dict[str, str]
    band: bool = False


def plots_of(terms: tuple[str, ...]) -> tuple[Plot, ...]:
    """The plots of a task with these reward terms."""
    rewards = {"reward": "sum"} | {f"reward.{term}": term for term in terms}
    values = {"value": "mean of the heads", "value_low": "− spread", "value_high": "+ spread"}
    return (
        Plot("Reward and its terms", rewards),
        Plot("Value of the state", values, band=True),
        Plot("Plan time in ms, and the time foreseen", {"plan_time": "plan time", "deadline": "foreseen"}),
        Plot("Age of the plan in ms", {"plan_age": "age"}),
        Plot("Effective sample size", {"effective_sample_size": "rollouts averaged"}),
        Plot("Learning loss", {"loss": "loss"}),
        Plot("Age of the weights in s", {"weights_age": "age"}),
    )


class History:
    """The newest value of named numbers, sampled at equal times.

    Args:
      names: of the numbers.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        length = round(SPAN_S / SAMPLE_PERIOD_S) + 1
        self._newest: dict[str, tuple[float, float]] = {}
        self._samples = {name: deque([math.nan] * length, maxlen=length) for name in names}
        # seconds before now, (n,)
        self.times: Array = np.linspace(-SPAN_S, 0.0, length)

    def put(self, name: str, value: float, now: float | None = None) -> None:
        """Take a number; not finite ones and unknown names are left out. `now` is in s, monotonic."""
        if name in self._samples and math.isfinite(value):
            self._newest[name] = (time.monotonic() if now is None else now, value)

    def sample(self, now: float | None = None) -> None:
        """Add a sample of every number; one that is too old is unknown."""
        now = time.monotonic() if now is None else now
        for name, samples in self._samples.items():
            taken, value = self._newest.get(name, (-math.inf, math.nan))
            samples.append(value if now - taken < KEPT_S else math.nan)

    def curve(self, name: str) -> Array:
        """The samples of one number, oldest first, (n,); nan where it is unknown."""
        return np.array(self._samples[name])


class Plots:
    """Plots of a history in the container that is being filled.

    Args:
      gui: of the page.
      plots: see `plots_of`.
    """

    def __init__(self, gui: viser.GuiApi, plots: tuple[Plot, ...]) -> None:
        self.history = History(tuple(name for plot in plots for name in plot.curves))
        self._handles = [(plot, self._add(gui, plot)) for plot in plots]
        self._shown: dict[str, tuple[str, ...]] = {}

    def draw(self) -> None:
        """Show the present curves: those of which anything is known."""
        for plot, handle in self._handles:
            curves = {name: self.history.curve(name) for name in plot.curves}
            known = {name: curve for name, curve in curves.items() if np.isfinite(curve).any()}
            if self._shown.get(plot.title) != tuple(known):
                self._shown[plot.title] = tuple(known)
                handle.series, handle.bands = _series(plot, tuple(known)), _bands(plot, tuple(known))
            handle.data = joined(self.history.times, tuple(known.values()))

    def _add(self, gui: viser.GuiApi, plot: Plot) -> viser.GuiUplotHandle:
        several = len(plot.curves) > 1
        return gui.add_uplot(
            joined(self.history.times, ()), _series(plot, ()), title=plot.title,
            height=HEIGHT if several else SINGLE_HEIGHT,
            scales={"x": uplot.Scale(time=False, range=(-SPAN_S, 0.0))},
            axes=axes(), legend=uplot.Legend(show=several, live=False), padding=PADDING,
        )  # fmt: skip


def axes() -> tuple[uplot.Axis, ...]:
    """The axes of every plot; uPlot's own grid is as bright as a curve on a dark page."""
    grid = uplot.Axis_Grid(stroke=GRID_COLOUR, width=1)
    ticks = uplot.Axis_Ticks(stroke=GRID_COLOUR, width=1, size=4)
    return tuple(uplot.Axis(stroke=AXIS_COLOUR, grid=grid, ticks=ticks, size=size) for size in AXIS_SIZES)


def joined(times: Array, curves: tuple[Array, ...]) -> tuple[Array, ...]:
    """The times (n,) and curves (n,) at the samples where all are known; a flat line where there is no curve.

    uPlot draws nothing where a single value is no number.
    """
    if not curves:
        return np.array([-SPAN_S, 0.0]), np.zeros(2)
    known = np.isfinite(curves).all(axis=0)
    return (times[known], *(curve[known] for curve in curves))


def _series(plot: Plot, known: tuple[str, ...]) -> tuple[uplot.Series, ...]:
    """What uPlot is told of the times and of each curve that is known; of no curve where none is."""
    found = [uplot.Series(label="s")]
    names = list(plot.curves)
    for name in known:
        index = names.index(name)
        edge = plot.band and index >= len(names) - 2
        colour, width = (BAND, 0.5) if edge else (COLOURS[index % len(COLOURS)], 1.5)
        found.append(uplot.Series(label=plot.curves[name], stroke=colour, width=width))
    return tuple(found) if known else (*found, uplot.Series(label="nothing received", stroke=BAND))


def _bands(plot: Plot, known: tuple[str, ...]) -> tuple[uplot.Band, ...] | None:
    """The band between the last two curves, where the plot has one and both are known."""
    if not plot.band or len(known) < len(plot.curves):
        return None
    return (uplot.Band(series=(len(known), len(known) - 1), fill=BAND),)
