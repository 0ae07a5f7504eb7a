"""The picture of `benchmarks.peers.plan_time`; from a finished CSV file:

python -m benchmarks.peers.plan_time_figure benchmarks/results/peers_plan_time.csv
"""

import sys
from pathlib import Path

import pandas as pd

from benchmarks.peers.labels import PLANNER_LABELS
from experiments.style import add_caption, add_legend, new_figure
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

RATIOS = {
    "over_ours": ("time of a plan /\ntime of polo_ros's plan", "as long as polo_ros's"),
    "over_bare": ("time of a plan /\ntime of its rollouts alone", "as long as its rollouts alone"),
}
# of the sizes, largest first
LOOKS = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"), (ORANGE, "D"))
# between the sizes of a planner, in rows
SPACING = 0.19


def draw(file: Path) -> None:
    """Draw both ratios of every planner beside the CSV file, medians with quartiles."""
    frame = pd.read_csv(file, comment="#")
    planners = list(frame["planner"].unique())
    sizes = frame.groupby(["rollouts", "horizon"], sort=False)
    figure = new_figure(9.6, 2.0 + 0.8 * len(planners))
    panels = figure.subplots(1, len(RATIOS), sharey=True)
    for axes, (ratio, (label, at_one)) in zip(panels, RATIOS.items(), strict=True):
        for index, ((rollouts, horizon), rows) in enumerate(sizes):
            colour, marker = LOOKS[index % len(LOOKS)]
            places = [
                planners.index(name) + SPACING * (index - (len(sizes) - 1) / 2) for name in rows["planner"]
            ]
            low, high = rows[ratio] - rows[f"{ratio}_low"], rows[f"{ratio}_high"] - rows[ratio]
            axes.errorbar(
                rows[ratio], places, xerr=(low, high), fmt=marker, color=colour, ms=6, capsize=3,
                label=f"K = {rollouts}, H = {horizon}",
            )  # fmt: skip
        axes.axvline(1.0, color=GREY, lw=1, ls="--")
        axes.text(1.0, -0.52, f" {at_one}", color=GREY, fontsize=9, va="top")
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(planners)), [PLANNER_LABELS[planner] for planner in planners])
    panels[0].set_ylim(len(planners) - 0.5, -0.65)  # the first on top
    add_legend(figure, panels[0], "Humanoid getup: time of a plan of K rollouts and H steps")
    add_caption(figure, "Markers: medians over the same states, planned from in turns; bars: quartiles.")
    figure.savefig(file.with_suffix(".png"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
