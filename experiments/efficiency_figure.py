"""Picture and table of `polo reproduce efficiency`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.planner_variants import RECOMMENDED, planner_variants
from experiments.statistics import interval
from polo_ros.arrays import Array
from polo_ros.parameters.markdown import table
from polo_ros.planner import PlannerConfig

COLOURS = {
    "recommended": "#000000", "noise": "#d6542a", "curve": "#c79a1b", "knots": "#6f9b2f",
    "elites": "#1f9e89", "temperature": "#7a828c", "iterations": "#2a78d6", "time": "#8a4fbf",
    "adapting": "#8c564b", "values": "#d44a8e",
}  # fmt: skip
# planner_variants of one knob differ in these
MARKERS = "osv"
HALF = 0.5
Rows = Sequence[Mapping[str, str]]


def styles() -> dict[str, tuple[str, str]]:
    """Colour and marker of every variant, by name, in the order of the table."""
    found: dict[str, tuple[str, str]] = {}
    seen: dict[str, int] = {}
    for name, idea in planner_variants(PlannerConfig()).items():
        seen[idea.knob] = seen.get(idea.knob, -1) + 1
        found[name] = COLOURS[idea.knob], MARKERS[seen[idea.knob]]
    return found


def draw(rows: Rows, file: Path) -> None:
    """Above, mean reward against steps; below, differences to the recommended planner at half the budget."""
    tasks, known = names(rows, "task"), styles()
    figure = Figure(figsize=(4.2 * len(tasks) + 2.2, 8.6), dpi=120, layout="constrained")
    panels = figure.subplots(2, len(tasks), squeeze=False, height_ratios=(1.0, 1.35))
    for column, task in enumerate(tasks):
        above, below = panels[:, column]
        draw_rewards(above, rows, task)
        draw_differences(below, rows, task)
        below.set_yticks(range(len(known)), list(known) if column == 0 else [""] * len(known), size=8)
        below.set_ylim(len(known) - 0.5, 0.5)  # without recommended, whose difference is none
    for label, (colour, _) in zip(panels[1, 0].get_yticklabels(), known.values(), strict=True):
        label.set_color(colour)
    shown = names(rows, "variant")
    handles = [
        Line2D([], [], color=colour, marker=marker, label=name, lw=3.0 if name == RECOMMENDED else 1.0)
        for name, (colour, marker) in known.items()
        if name in shown
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(file)


def draw_rewards(axes: Axes, rows: Rows, task: str) -> None:
    """Mean reward over seeds against simulator steps, a line a variant."""
    for variant, (colour, marker) in styles().items():
        points = []
        for budget in names(rows, "budget"):
            chosen = select(rows, task, variant, budget)
            if chosen:
                points.append([numbers(chosen, name).mean() for name in ("steps_per_period", "mean_reward")])
        if points:
            steps, rewards = np.array(points).T
            bold = variant == RECOMMENDED
            axes.plot(
                steps, rewards, color=colour, marker=marker, lw=3.0 if bold else 1.0,
                ms=7 if bold else 4.5, zorder=3 if bold else 2,
            )  # fmt: skip
    axes.set_xscale("log")
    ticks = [
        numbers(select(rows, task, RECOMMENDED, budget), "steps_per_period").mean()
        for budget in names(rows, "budget")
    ]
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.6 * min(ticks), 1.3 * max(ticks))
    axes.set(title=task, xlabel="simulator steps per control period", ylabel="mean reward")
    axes.grid(alpha=0.3, which="both")


def draw_differences(axes: Axes, rows: Rows, task: str) -> None:
    """Each variant's difference to recommended at half the budget, with its 95 % interval over seeds."""
    for place, (variant, (colour, marker)) in enumerate(styles().items()):
        chosen = select(rows, task, variant, HALF)
        if chosen:
            mean, half = difference(chosen, select(rows, task, RECOMMENDED, HALF))
            axes.errorbar(mean, place, xerr=half, color=colour, marker=marker, ms=5, capsize=3, lw=1.2)
    axes.axvline(0.0, color="#000000", lw=1.0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("mean reward less recommended's,\nhalf the rollouts, 95 % interval over seeds")
    axes.grid(alpha=0.3)


def report(rows: Rows) -> list[str]:
    """A table a budget: mean ± std over seeds, difference to recommended with its interval, and steps."""
    tasks, lines = names(rows, "task"), []
    for budget in names(rows, "budget"):
        body = []
        for variant in styles():
            groups = [select(rows, task, variant, budget) for task in tasks]
            if any(groups):
                cells = [
                    cell(group, select(rows, task, RECOMMENDED, budget), variant)
                    for task, group in zip(tasks, groups, strict=True)
                ]
                body.append((variant, *(part for parts in cells for part in parts)))
        head = [part for task in tasks for part in (task, "less recommended's", "steps")]
        lines += [f"{float(budget):.0%} of the file's rollouts:", "", *table(("variant", *head), body), ""]
    return [
        *lines,
        "Mean reward, mean ± standard deviation over seeds; the difference is paired by seed, ± half its "
        "95 % interval; steps are the planner's physics steps per control period.",
    ]


def cell(group: Rows, recommended: Rows, variant: str) -> tuple[str, str, str]:
    """Reward, difference and steps of one variant on one task, dashes where it was not run."""
    if not group:
        return "-", "-", "-"
    rewards = numbers(group, "mean_reward")
    less = "-"
    if variant != RECOMMENDED:
        mean, half = difference(group, recommended)
        less = f"{mean:+.3f} ± {half:.3f}"
    steps = numbers(group, "steps_per_period").mean()
    return f"{rewards.mean():.3f} ± {rewards.std():.3f}", less, f"{steps:.0f}"


def difference(group: Rows, recommended: Rows) -> tuple[float, float]:
    """Mean reward less the recommended planner's on the same seeds, and half the 95 % interval."""
    base = {row["seed"]: float(row["mean_reward"]) for row in recommended}
    paired = np.array([[float(row["mean_reward"]) - base[row["seed"]]] for row in group])
    mean, half = interval(paired)
    return float(mean[0]), float(half[0])


def names(rows: Rows, column: str) -> list[str]:
    """What stands in a column, in the rows' order."""
    return list(dict.fromkeys(row[column] for row in rows))


def select(rows: Rows, task: str, variant: str, budget: str | float) -> Rows:
    """The rows of one variant on one task at one budget, a row a seed."""
    wanted = (task, variant, float(budget))
    return [row for row in rows if (row["task"], row["variant"], float(row["budget"])) == wanted]


def numbers(rows: Rows, column: str) -> Array:
    """A column as numbers, (rows,)."""
    return np.array([float(row[column]) for row in rows])
