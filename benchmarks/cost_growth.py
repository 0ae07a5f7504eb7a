"""How the times of a plan and of a learner's update grow with each of their sizes.

    python -m benchmarks.cost_growth

One panel for each quantity. Within a panel all sizes are timed in turns, so that other load on the machine
affects all of them alike. Slopes are those of a straight line through the logarithms of size and median time:
1 is linear, 0 is flat. Besides the slope over all sizes there is that over the largest three, where fixed
costs matter least.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullFormatter

from benchmarks.cost_cases import Case, buffer_case, label_case, plan_case, regression_case
from experiments.style import TASK_NAMES, add_caption, new_figure
from polo_ros.arrays import Array
from polo_ros.parameters.settings import settings_for
from polo_ros.viewer.figures import BLUE, GREY

HUMANOID = "humanoid_getup"
TASKS = ("cartpole_swingup", "pointmass_box", "humanoid_getup", "hand_cube", "humanoid_box")
# physics steps of a rollout, equal for all tasks, whose control periods have different numbers of them
PHYSICS_STEPS = 40
DOUBLING = tuple(2**power for power in range(3, 11))
WARM_UP = 2
LARGEST = 3
COLUMNS_DRAWN = 3
MARKERS = "osD^v"
COLUMNS = (
    "panel", "case", "size", "repeats", "median_ms", "quartile_low_ms", "quartile_high_ms", "slope",
    "slope_largest",
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """A quantity that grows.

    Attributes:
      title: what is timed.
      axis: the quantity with its unit.
      expected: how the time should grow.
      cases: name, size and what prepares the work, by rising size.
    """

    title: str
    axis: str
    expected: str
    cases: Sequence[tuple[str, int, Callable[[], Case]]]


def sized(sizes: Sequence[int], make: Callable[[int], Case]) -> list[tuple[str, int, Callable[[], Case]]]:
    """Cases that are named by their sizes."""
    return [(str(size), size, partial(make, size)) for size in sizes]


def task_cases(threads: int) -> list[tuple[str, int, Callable[[], Case]]]:
    """A plan of equally many physics steps for each task, by rising number of degrees of freedom."""
    cases = []
    for name in TASKS:
        task = settings_for(name).task
        horizon = PHYSICS_STEPS // task.substeps
        cases.append((name, int(task.model.nv), partial(plan_case, name, 30, horizon, threads)))
    return sorted(cases, key=lambda case: case[1])


def make_panels(threads: int) -> dict[str, Panel]:
    """The panels by name; `threads` are the rollouts' where they are not what grows."""
    suffix = f"{threads} thread" + "s" * (threads > 1)
    return {
        "rollouts": Panel(
            f"humanoid's plan, H = 32, {suffix}", "rollouts K", "linear",
            sized(DOUBLING[:6], lambda size: plan_case(HUMANOID, size, 32, threads)),
        ),
        "horizon": Panel(
            f"humanoid's plan, K = 30, {suffix}", "horizon H, in steps", "linear",
            sized(DOUBLING[:6], lambda size: plan_case(HUMANOID, 30, size, threads)),
        ),
        "velocities": Panel(
            f"plan, K = 30, {PHYSICS_STEPS} physics steps, {suffix}", "degrees of freedom nv",
            "as simulator steps do", task_cases(threads),
        ),
        "threads": Panel(
            "humanoid's plan, K = 30, H = 64", "threads", "inversely linear (-1)",
            sized((1, 2), lambda size: plan_case(HUMANOID, 30, 64, size)),
        ),
        "batch": Panel(
            "64 gradient steps, 6 heads", "batch size, in targets per head", "at most linear",
            sized(DOUBLING, lambda size: regression_case(batch_size=size)),
        ),
        "heads": Panel(
            "64 gradient steps, batch 32", "heads", "at most linear",
            sized((1, 2, 4, 8, 16, 32, 64), lambda size: regression_case(ensemble_size=size)),
        ),
        "buffer": Panel(
            "learner's update, all else small", "replay buffer, in transitions", "flat",
            sized(tuple(10**power for power in range(2, 7)), buffer_case),
        ),
        "labels": Panel(
            "learner's update, all else small", "labelled states", "linear",
            sized((250, 500, 1000, 2000, 4000, 8000), label_case),
        ),
    }  # fmt: skip


def measure(cases: Sequence[Case], repeats: int) -> Array:
    """Wall times in s, (cases, repeats), one of each case after the other."""
    seconds = np.empty((len(cases), repeats))
    for repeat in range(-WARM_UP, repeats):
        taken = [case() for case in cases]
        if repeat >= 0:
            seconds[:, repeat] = taken
    return seconds


def slope(sizes: Array, medians: Array) -> float:
    """d log time / d log size by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])


def draw(file: Path, panels: dict[str, Panel]) -> None:
    """Draw every panel of a CSV file beside it: medians with quartiles, and the fitted line."""
    frame = pd.read_csv(file, comment="#")
    names = list(frame["panel"].unique())
    rows = -(-len(names) // COLUMNS_DRAWN)
    figure = new_figure(10.5, 3.3 * rows)
    grid = figure.subplots(rows, COLUMNS_DRAWN, squeeze=False)
    for unused in grid.flat[len(names) :]:
        unused.set_axis_off()
    for name, axes in zip(names, grid.flat, strict=False):
        draw_panel(axes, panels[name], frame[frame["panel"] == name])
    add_caption(
        figure,
        "Markers: medians; bars: quartiles. Dashed: straight line through the logarithms of size and time; "
        "slope 1 is linear growth, 0 is none.",
    )
    figure.savefig(file.with_suffix(".png"))


def draw_panel(axes: Axes, panel: Panel, rows: pd.DataFrame) -> None:
    """One quantity's rows of the CSV file, by rising size."""
    sizes, median = rows["size"], rows["median_ms"]
    of_tasks = rows["case"].isin(TASKS).any()
    low, high, fitted, largest = (
        rows[name] for name in ("quartile_low_ms", "quartile_high_ms", "slope", "slope_largest")
    )
    line = np.exp(np.log(median).mean() + fitted * (np.log(sizes) - np.log(sizes).mean()))
    axes.plot(sizes, line, color=GREY, lw=1, ls="--")
    axes.errorbar(
        sizes,
        median,
        (median - low, high - median),
        fmt="none" if of_tasks else "o",
        color=BLUE,
        ms=5,
        lw=1,
        capsize=3,
    )
    axes.set(xscale="log", yscale="log", xlabel=panel.axis, ylabel="time, in ms")
    axes.set_title(panel.title, fontsize=10)
    said = f"slope {fitted.iloc[0]:.2f}"
    if len(rows) >= LARGEST:
        said += f"; of the {LARGEST} largest sizes {largest.iloc[0]:.2f}"
    said = f"{said}\nexpected: {panel.expected}".replace("-0.00", "0.00")
    axes.text(0.03, 0.97, said, transform=axes.transAxes, va="top", fontsize=9)
    # room for the text above; at least a decade, so that a small slope looks small
    axes.set_ylim(0.5 * low.min(), max(4.0 * high.max(), 10.0 * low.min()))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(EngFormatter(sep=""))
        axis.set_minor_formatter(NullFormatter())
    if len(rows) < LARGEST:
        axes.set_xticks(sizes)
    if of_tasks:
        for row, marker in zip(rows.itertuples(), MARKERS, strict=False):
            label = TASK_NAMES[row.case]
            axes.plot(row.size, row.median_ms, marker, color=BLUE, ms=7, mec="white", label=label)
        axes.legend(loc="lower right", fontsize=9)
    axes.grid(alpha=0.3)


def main() -> None:
    """Measure panel by panel; print, write and draw each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1, help="of the rollouts, where they do not vary")
    parser.add_argument("--panels", nargs="+", choices=make_panels(1), default=list(make_panels(1)))
    parser.add_argument("--cases", type=int, help="only so many of the smallest sizes a panel")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cost_growth.csv"))
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, draw --out again")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as the learner does
    options.out.parent.mkdir(parents=True, exist_ok=True)
    panels = make_panels(options.threads)
    if options.draw_only:
        draw(options.out, panels)
        return
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.cost_growth {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for chosen in options.panels:
            cases = panels[chosen].cases[: options.cases]
            panel = replace(panels[chosen], cases=cases)
            sizes = np.array([size for _, size, _ in cases], dtype=float)
            seconds = measure([prepare() for _, _, prepare in cases], options.repeats)
            low, median, high = 1e3 * np.quantile(seconds, (0.25, 0.5, 0.75), axis=1)
            slopes = slope(sizes, median), slope(sizes[-LARGEST:], median[-LARGEST:])
            for index, (name, size, _) in enumerate(cases):
                numbers = (median[index], low[index], high[index], *slopes)
                writer.writerow((chosen, name, size, options.repeats, *(f"{one:.3f}" for one in numbers)))
            file.flush()
            told = ", ".join(f"{name} {ms:.2f}" for (name, _, _), ms in zip(cases, median, strict=True))
            print(
                f"{chosen}: slope {slopes[0]:.2f}, largest sizes {slopes[1]:.2f} "
                f"(expected: {panel.expected}); ms: {told}",
                flush=True,
            )
    draw(options.out, panels)


if __name__ == "__main__":
    main()
