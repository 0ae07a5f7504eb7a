"""Picture and table of `polo reproduce efficiency`."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from experiments.planner_variants import RECOMMENDED, planner_variants
from experiments.style import TASK_NAMES, add_caption, count_in_words, means_in_words, new_figure
from polo_ros.agent.statistics import half_interval
from polo_ros.parameters.markdown import table
from polo_ros.planner import PlannerConfig
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

# the budget that is drawn, as a share of the rollouts in the task's file
DRAWN_BUDGET = 0.5
# variants are sorted by their difference on the task that all of them run on
SORTED_BY = "humanoid_getup"
# whether the interval lies above, below or around 0: colour and marker
VERDICTS = {
    "better": (BLUE, "^", "better than recommended"),
    "worse": (VERMILION, "v", "worse than recommended"),
    "open": (GREY, "o", "interval contains 0"),
}


def with_differences(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with their mean reward less the recommended planner's on the same seed, as `difference`."""
    keys = ["task", "budget", "seed"]
    recommended = frame[frame["variant"] == RECOMMENDED].set_index(keys)["mean_reward"]
    return frame.assign(
        difference=frame["mean_reward"] - frame[keys].join(recommended, on=keys)["mean_reward"]
    )


def draw(frame: pd.DataFrame, file: Path) -> None:
    """Every variant's difference to the recommended planner at half the rollouts, sorted, a panel a task."""
    frame = with_differences(frame[frame["budget"] == DRAWN_BUDGET])
    tasks = sorted(frame["task"].unique(), key=lambda task: task != SORTED_BY)
    variants = frame[frame["variant"] != RECOMMENDED]
    means = variants.pivot_table(values="difference", index="variant", columns="task")
    order = list(means.sort_values(tasks[0], ascending=False).index)
    figure = new_figure(3.3 * len(tasks) + 1.2, 1.9 + 0.24 * len(order))
    for axes, task in zip(figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0], tasks, strict=True):
        draw_task(axes, variants[variants["task"] == task], order)
        base = frame[(frame["task"] == task) & (frame["variant"] == RECOMMENDED)]
        axes.set_title(
            f"{TASK_NAMES[task]}\n(recommended: {base['mean_reward'].mean():.2f})".replace("-0", "−0")
        )
    figure.axes[0].set_yticks(range(len(order)), order)
    figure.axes[0].set_ylim(len(order) - 0.5, -0.5)
    handles = [
        Line2D([], [], color=colour, marker=marker, label=label)
        for colour, marker, label in VERDICTS.values()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    seeds = count_in_words(frame.groupby("task")["seed"].nunique())
    add_caption(
        figure,
        f"With {DRAWN_BUDGET:.0%} of the rollouts in the task's file; sorted by {TASK_NAMES[tasks[0]]}.\n"
        f"{means_in_words(f'{seeds}, paired by seed')}",
    )
    figure.savefig(file)


def draw_task(axes: Axes, variants: pd.DataFrame, order: list[str]) -> None:
    """The differences of one task's variants, from top to bottom in the given order."""
    axes.axvline(0.0, color="black", lw=1.0)
    for place, variant in enumerate(order):
        differences = variants[variants["variant"] == variant]["difference"]
        if differences.empty:
            axes.text(0.5, place, "not run", transform=axes.get_yaxis_transform(), ha="center", va="center",
                      fontsize=9, color=GREY, style="italic")  # fmt: skip
            continue
        mean, half = differences.mean(), half_interval(differences)
        colour, marker, _ = VERDICTS["better" if mean > half else "worse" if -mean > half else "open"]
        axes.plot(differences, [place] * len(differences), ls="", marker=".", ms=5, color=colour, alpha=0.4)
        axes.errorbar(mean, place, xerr=half, color=colour, marker=marker, ms=6, capsize=3, lw=1.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.set_xlabel("difference in mean reward")
    axes.grid(alpha=0.3)


def report(frame: pd.DataFrame) -> list[str]:
    """A table a budget: mean reward, difference to the recommended planner, and simulator steps."""
    tasks, lines = list(frame["task"].unique()), []
    heads = [(f"{TASK_NAMES[task]}: mean reward", "difference", "simulator steps") for task in tasks]
    head = ("planner variant", *(part for parts in heads for part in parts))
    for budget, runs in with_differences(frame).groupby("budget"):
        groups = dict(iter(runs.groupby(["variant", "task"])))
        known = [variant for variant in planner_variants(PlannerConfig()) if variant in set(runs["variant"])]
        body = [
            (variant, *(part for task in tasks for part in cells(variant, groups.get((variant, task)))))
            for variant in known
        ]
        lines += [f"{budget:.0%} of the rollouts in the task's file:", "", *table(head, body), ""]
    return [
        *lines,
        "Mean reward: mean ± standard deviation over seeds. Difference: to the recommended planner, paired "
        "by seed, ± half its 95 % interval. Simulator steps: physics steps that planning spends in a control "
        "period.",
    ]


def cells(variant: str, runs: pd.DataFrame | None) -> tuple[str, str, str]:
    """Reward, difference and steps of one variant on one task, dashes where it was not run."""
    if runs is None:
        return "-", "-", "-"
    rewards, differences = runs["mean_reward"], runs["difference"]
    difference = f"{differences.mean():+.3f} ± {half_interval(differences):.3f}"
    return (
        f"{rewards.mean():.3f} ± {rewards.std(ddof=0):.3f}",
        "-" if variant == RECOMMENDED else difference,
        f"{runs['steps_per_period'].mean():.0f}",
    )
