"""The picture of `benchmarks.peers.returns`; from a finished CSV file:

python -m benchmarks.peers.returns_figure benchmarks/results/peers_returns.csv
"""

import sys
from pathlib import Path

import pandas as pd

from benchmarks.peers.labels import PLANNER_LABELS
from experiments.style import TASK_NAMES, Style, add_caption, add_legend, count_in_words, new_figure
from polo_ros.viewer.figures import BLUE, VERMILION

SETTINGS = {
    "shipped": Style("temperature and σ as shipped", BLUE, "o"),
    "tuned": Style("tuned with equal effort", VERMILION, "s"),
}
# between the settings of a planner, in rows
SPACING = 0.3


def draw(file: Path) -> None:
    """Draw a panel a problem beside the CSV file: the mean reward of every seed, and their mean."""
    frame = pd.read_csv(file, comment="#")
    frame = frame[frame["setting"].isin(SETTINGS)]
    problems, planners = (list(frame[name].unique()) for name in ("problem", "planner"))
    figure = new_figure(3.6 * len(problems) + 2.8, 2.0 + 0.62 * len(planners))
    panels = figure.subplots(1, len(problems), squeeze=False, sharey=True)[0]
    for axes, problem in zip(panels, problems, strict=True):
        for index, (setting, style) in enumerate(SETTINGS.items()):
            for place, planner in enumerate(planners):
                chosen = (frame["problem"] == problem) & (frame["planner"] == planner)
                rewards = frame[chosen & (frame["setting"] == setting)]["mean_reward"]
                height = place + SPACING * (index - (len(SETTINGS) - 1) / 2)
                axes.plot(
                    rewards, [height] * len(rewards), style.marker, color=style.colour, ms=5, alpha=0.5,
                    label=f"{style.label}: seeds",
                )  # fmt: skip
                axes.plot(
                    rewards.mean(),
                    height,
                    "|",
                    color=style.colour,
                    ms=15,
                    mew=3,
                    label=f"{style.label}: mean",
                )
        axes.set(title=TASK_NAMES[problem], xlabel="mean reward of an episode")
        axes.grid(alpha=0.3)
    panels[0].set_yticks(range(len(planners)), [PLANNER_LABELS[planner] for planner in planners])
    panels[0].set_ylim(len(planners) - 0.5, -0.5)  # the first on top
    add_legend(figure, panels[0], "Reward at equal numbers of simulator steps", ncols=2)
    seeds = frame.groupby(["problem", "planner", "setting"])["seed"].nunique()
    add_caption(figure, f"{count_in_words(seeds)} each; further right is better.")
    figure.savefig(file.with_suffix(".png"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
