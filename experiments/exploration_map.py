"""`polo reproduce exploration_map`: the ensemble's values over each world after exploration (figure 2(b))."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from experiments.experiment import Experiment, Row
from experiments.exploration import WORLDS, make_explorer, parameters, step_count
from experiments.occupancy import OccupancyGrid
from experiments.style import TASK_NAMES, add_caption, new_figure
from polo_ros.parameters.markdown import table
from polo_ros.planner.value import optimistic


class ExplorationMap(Experiment):
    """Figure 2(b): the values of the ensemble after a run of POLO, cell by cell."""

    name = "exploration_map"
    summary = "Figure 2(b): values and their spread over box and maze after POLO explored them"
    settings = ("world", "seed")
    results = ("x", "y", "visited", "value", "optimistic_value", "value_std")

    def jobs(self, quick: bool) -> Sequence[Row]:
        """One a world: the first seed."""
        return [{"world": world, "seed": 0} for world in (WORLDS[:1] if quick else WORLDS)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """A row a free cell: the values at its centre, at rest."""
        steps = step_count(quick)
        explorer = make_explorer(job["world"], job["seed"])
        visited = np.array([explorer.step().state[:2] for _ in range(steps)])
        task = explorer.task
        grid = OccupancyGrid(task.model, visited[0])
        grid.visit(visited)
        centres = grid.centres[grid.free]
        states = np.zeros((len(centres), task.state_size))
        states[:, :2] = centres
        assert explorer.learner is not None
        heads = explorer.learner.value().heads(task.value_features(task.observe(states)))
        columns = (
            *centres.T, grid.visited[grid.free].astype(int), heads.mean(axis=0),
            optimistic(heads, explorer.planner.config.optimism), heads.std(axis=0),
        )  # fmt: skip
        return [dict(zip(self.results, cell, strict=True)) for cell in zip(*columns, strict=True)]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The parameters of planner and learner."""
        return parameters(quick)

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """The optimistic value of every free cell, with the visited cells marked."""
        figure = new_figure(9, 4.3)
        worlds = frame["world"].unique()
        for axes, world in zip(figure.subplots(1, len(worlds), squeeze=False)[0], worlds, strict=True):
            rows = frame[frame["world"] == world]
            image = draw_cells(axes, rows)
            figure.colorbar(image, ax=axes, label="optimistic value", shrink=0.8)
            share = 100 * rows["visited"].mean()
            axes.set_title(f"{TASK_NAMES[world]}\n{share:.0f} % of the free cells visited")
        add_caption(
            figure,
            "After one run of POLO (seed 0): the ensemble's optimistic value at rest in the centre of each "
            "cell.\nDots: visited cells; dark: walls.",
        )
        figure.savefig(folder / f"{self.name}.png")

    def report(self, frame: pd.DataFrame) -> list[str]:
        """Mean values of visited and unvisited cells."""
        lines = []
        for world, rows in frame.groupby("world", sort=False):
            means = rows.groupby("visited")[["value", "value_std"]].mean()
            cells = (
                f"{means['value'][flag]:.2f} ({means['value_std'][flag]:.2f})" if flag in means.index else "-"
                for flag in (1, 0)
            )
            lines.append((TASK_NAMES[str(world)], len(rows), rows["visited"].sum(), *cells))
        head = (
            "world", "cells", "visited", "mean value of visited cells (standard deviation of the heads)",
            "of the other cells",
        )  # fmt: skip
        return table(head, lines)


def draw_cells(axes: Axes, rows: pd.DataFrame) -> AxesImage:
    """A world's cells coloured by optimistic value, those that are not free in dark grey; x and y in m."""
    corner = rows[["x", "y"]].min().to_numpy()
    size = float(np.diff(np.unique(rows["x"])).min())
    cells = np.rint((rows[["x", "y"]].to_numpy() - corner) / size).astype(int)
    picture = np.full(cells.max(axis=0) + 1, math.nan)
    picture[tuple(cells.T)] = rows["optimistic_value"]
    (left, bottom), (right, top) = corner - size / 2, corner + size * (np.array(picture.shape) - 0.5)
    visited = rows[rows["visited"] == 1]
    axes.plot(visited["x"], visited["y"], "k.", ms=4)
    ticks = range(math.ceil(left), math.floor(right) + 1)
    axes.set(xlabel="x, in m", ylabel="y, in m", xticks=ticks, yticks=ticks, facecolor="#4a5058")
    return axes.imshow(picture.T, origin="lower", extent=(left, right, bottom, top), cmap="coolwarm")
