"""The picture of `benchmarks.peers.returns`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw(rows: Sequence[Mapping[str, str]], settings: Sequence[str], path: Path) -> None:
    """One panel per problem: every seed's mean reward as a dot, the mean over seeds as a bar.

    Args:
      rows: the rows of the CSV file.
      settings: the settings to show, side by side.
      path: the PNG file to write.
    """
    shown = [row for row in rows if row["setting"] in settings]
    problems = list(dict.fromkeys(row["problem"] for row in shown))
    planners = list(dict.fromkeys(row["planner"] for row in shown))
    figure = Figure(figsize=(4.2 * len(problems) + 2.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(problems), squeeze=False, sharey=True)[0]
    for axes, problem in zip(panels, problems, strict=True):
        for index, setting in enumerate(settings):
            for place, planner in enumerate(planners):
                values = [
                    float(row["mean_reward"])
                    for row in shown
                    if (row["problem"], row["planner"], row["setting"]) == (problem, planner, setting)
                ]
                if not values:
                    continue
                height = place + 0.3 * (index - (len(settings) - 1) / 2)
                colour = f"C{index}"
                axes.plot(values, [height] * len(values), "o", color=colour, alpha=0.45)
                axes.plot(
                    [float(np.mean(values))] * 2, [height - 0.13, height + 0.13], color=colour, linewidth=3
                )
        axes.set_title(problem)
        axes.set_xlabel("mean reward per control period")
        axes.set_yticks(range(len(planners)), planners)
        axes.grid(axis="x", alpha=0.3)
    panels[0].invert_yaxis()
    panels[-1].legend(
        handles=[
            panels[-1].plot([], [], "o", color=f"C{i}", label=name)[0] for i, name in enumerate(settings)
        ]
    )
    figure.suptitle("Return at equal simulator steps: dots are seeds, bars their means")
    figure.savefig(path, dpi=130)
