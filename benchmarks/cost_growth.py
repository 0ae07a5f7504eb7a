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
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from benchmarks.cost_cases import Case, buffer_case, label_case, plan_case, regression_case
from polo_ros.arrays import Array
from polo_ros.parameters.settings import settings_for

HUMANOID = "humanoid_getup"
TASKS = ("cartpole_swingup", "pointmass_box", "humanoid_getup", "hand_cube", "humanoid_box")
# physics steps of a rollout, equal for all tasks, whose control periods have different numbers of them
PHYSICS_STEPS = 40
DOUBLING = tuple(2**power for power in range(3, 11))
WARM_UP = 2
LARGEST = 3
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
            f"plan: humanoid, H = 32, {suffix}", "rollouts K", "linear",
            sized(DOUBLING[:6], lambda size: plan_case(HUMANOID, size, 32, threads)),
        ),
        "horizon": Panel(
            f"plan: humanoid, K = 30, {suffix}", "horizon H (steps)", "linear",
            sized(DOUBLING[:6], lambda size: plan_case(HUMANOID, 30, size, threads)),
        ),
        "velocities": Panel(
            f"plan: K = 30, {PHYSICS_STEPS} physics steps, {suffix}", "degrees of freedom nv",
            "as the simulator's", task_cases(threads),
        ),
        "threads": Panel(
            "plan: humanoid, K = 30, H = 64", "threads", "inversely linear",
            sized((1, 2), lambda size: plan_case(HUMANOID, 30, 64, size)),
        ),
        "batch": Panel(
            "64 gradient steps, 6 heads", "batch (targets a head)", "at most linear",
            sized(DOUBLING, lambda size: regression_case(batch_size=size)),
        ),
        "heads": Panel(
            "64 gradient steps, batch 32", "heads", "at most linear",
            sized((1, 2, 4, 8, 16, 32, 64), lambda size: regression_case(ensemble_size=size)),
        ),
        "buffer": Panel(
            "learner update, little else to do", "replay buffer (visits)", "flat",
            sized(tuple(10**power for power in range(2, 7)), buffer_case),
        ),
        "labels": Panel(
            "learner update, little else to do", "labelled states", "linear",
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


def draw(panel: Panel, axes: Axes, sizes: Array, quartiles: Array, slopes: tuple[float, float]) -> None:
    """Medians with quartiles, the fitted line and its slope.

    Args:
      panel: what is shown.
      axes: where.
      sizes: (cases,).
      quartiles: (3, cases), in ms.
      slopes: over all sizes, and over the largest.
    """
    low, median, high = quartiles
    centre = np.exp(np.log(median).mean() + slopes[0] * (np.log(sizes) - np.log(sizes).mean()))
    axes.plot(sizes, centre, color="#7a828c", lw=1, ls="--")
    axes.errorbar(
        sizes, median, (median - low, high - median), fmt="o", color="#2a78d6", ms=4, lw=1, capsize=2
    )
    axes.set(xscale="log", yscale="log", xlabel=panel.axis, ylabel="time (ms)")
    axes.set_title(panel.title, fontsize=9)
    if len(sizes) < LARGEST:
        said = f"slope {slopes[0]:.2f}"
    else:
        said = f"slope {slopes[0]:.2f}, largest {LARGEST}: {slopes[1]:.2f}"
    axes.text(
        0.03, 0.97, f"{said}\nexpected: {panel.expected}", transform=axes.transAxes, va="top", fontsize=8
    )
    # room for the text above; at least a decade, so that a small slope looks small
    axes.set_ylim(0.5 * low.min(), max(4.0 * high.max(), 10.0 * low.min()))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    if len(sizes) < LARGEST:
        axes.set_xticks(sizes)
    if any(name != str(size) for name, size, _ in panel.cases):
        for (name, size, _), height, marker in zip(panel.cases, median, MARKERS, strict=False):
            axes.plot(size, height, marker, color="#2a78d6", ms=6, label=f"{name}, {size}")
        axes.legend(loc="lower right", fontsize=7)
    axes.grid(alpha=0.3)


def main() -> None:
    """Measure panel by panel; print, write and draw each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1, help="of the rollouts, where they do not vary")
    parser.add_argument("--panels", nargs="+", choices=make_panels(1), default=list(make_panels(1)))
    parser.add_argument("--cases", type=int, help="only so many of the smallest sizes a panel")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cost_growth.csv"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # as the learner does
    options.out.parent.mkdir(parents=True, exist_ok=True)
    panels = make_panels(options.threads)
    figure = Figure(figsize=(13, 6), dpi=120, layout="constrained")
    grid = figure.subplots(2, -(-len(options.panels) // 2), squeeze=False)
    for unused in grid.flat[len(options.panels) :]:
        unused.set_axis_off()
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.cost_growth {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for chosen, axes in zip(options.panels, grid.flat, strict=False):
            cases = panels[chosen].cases[: options.cases]
            panel = replace(panels[chosen], cases=cases)
            sizes = np.array([size for _, size, _ in cases], dtype=float)
            seconds = measure([prepare() for _, _, prepare in cases], options.repeats)
            quartiles = 1e3 * np.quantile(seconds, (0.25, 0.5, 0.75), axis=1)
            low, median, high = quartiles
            slopes = slope(sizes, median), slope(sizes[-LARGEST:], median[-LARGEST:])
            for index, (name, size, _) in enumerate(cases):
                numbers = (median[index], low[index], high[index], *slopes)
                writer.writerow((chosen, name, size, options.repeats, *(f"{one:.3f}" for one in numbers)))
            file.flush()
            draw(panel, axes, sizes, quartiles, slopes)
            told = ", ".join(f"{name} {ms:.2f}" for (name, _, _), ms in zip(cases, median, strict=True))
            print(
                f"{chosen}: slope {slopes[0]:.2f}, largest sizes {slopes[1]:.2f} "
                f"(expected: {panel.expected}); ms: {told}",
                flush=True,
            )
    figure.savefig(options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
