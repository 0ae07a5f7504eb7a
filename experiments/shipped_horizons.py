"""Figure 3 with the value functions that ship: reward and success of getup at every horizon, in lockstep.

    python -m experiments.shipped_horizons

Each parameter file plans with its value function at full weight, and without one. Rewards are the file's own,
which its value function is for. A run lasts 3.2 s of simulated time and succeeds where the robot has stood
upright for 2 s without interruption and does so at the end. A plan costs horizon x rollouts simulator steps.
"""

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.overrides import add_override_option, column_values, overrides_column
from experiments.lockstep_runs import judged_run
from experiments.style import METHODS, add_caption, add_legend, draw_means, new_figure
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row

TASK = "humanoid_getup"
FILES = {
    "humanoid_getup.yaml": "a fifth of the paper's torque",
    "humanoid_getup_paper_torque.yaml": "the paper's torque",
}
# horizon and rollouts
POINTS = ((8, 30), (16, 30), (32, 12), (64, 12))
SETTINGS = ("file", "method", "horizon", "rollouts", "overrides", "seed", "steps")
RESULTS = ("success", "first_achieved", "longest_hold", "achieved_seconds", "mean_reward")


def main() -> None:
    """Run what is missing, write a row a run, draw, print means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument(
        "--points",
        nargs="+",
        metavar="H,K",
        default=[f"{h},{k}" for h, k in POINTS],
        help="horizon, rollouts",
    )
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=400, help="control periods a run, of 8 ms")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument("--out", type=Path, default=Path("results/shipped_horizons/shipped_horizons.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m experiments.shipped_horizons", SETTINGS, RESULTS)
    points = [tuple(map(int, point.split(","))) for point in options.points]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    jobs: list[Row] = [
        {
            "file": name, "method": method, "horizon": horizon, "rollouts": rollouts,
            "overrides": overrides_column(options.override), "seed": seed, "steps": options.steps,
        }
        for name, seed, (horizon, rollouts), method in product(
            options.files, seeds, points, ("mpc", "polo")
        )
    ]  # fmt: skip
    with worker_processes(options.processes):
        for row in run_jobs(run, file.missing(jobs)):
            file.add([row], jobs)
            print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    frame = file.frame(jobs)
    if len(points) > 1:
        draw(frame, options.out.with_suffix(".png"))
    groups = frame.groupby(["file", "horizon", "rollouts", "method"])[list(RESULTS)]
    print(groups.agg("mean").to_string(float_format="{:.3f}".format))


def run(job: Row) -> Row:
    """A run as a row."""
    given: dict[str, Any] = {name: job[name] for name in ("horizon", "rollouts")} | {"value_weight": 1.0}
    given |= column_values(job["overrides"])
    settings = settings_for(TASK, share_path("config", job["file"]), given)
    task = settings.task
    value = None
    if job["method"] == "polo":
        value = ReceivedWeights(task, settings.planner.discount).load(settings.planner_node.weights_file)
    result = judged_run(settings, value, job["seed"], job["steps"])
    return {**job, **{name: result[name] for name in RESULTS}}


def draw(frame: pd.DataFrame, picture: Path) -> None:
    """Mean reward and successes against the horizon, a column a file."""
    files = [name for name in FILES if name in set(frame["file"])]
    figure = new_figure(max(4.5 * len(files), 7.5), 6.5)
    panels = figure.subplots(2, len(files), squeeze=False, sharex=True)
    for (rewards, shares), name in zip(panels.T, files, strict=True):
        for method, style in METHODS.items():
            runs = frame[(frame["file"] == name) & (frame["method"] == method)]
            if runs.empty:
                continue
            draw_means(rewards, runs, "horizon", "mean_reward", style)
            share = runs.groupby("horizon")["success"].mean()
            shares.plot(share.index, share, f"{style.marker}-", color=style.colour, lw=2, ms=7, alpha=0.8)
        rewards.set(title=f"Getup, {FILES[name]}", ylabel="mean reward")
        shares.set(xlabel="horizon, in control periods", ylabel="runs that succeed", ylim=(-0.04, 1.04))
        for axes in (rewards, shares):
            axes.grid(alpha=0.3)
    points = frame[["horizon", "rollouts"]].drop_duplicates().sort_values("horizon")
    panels[0, 0].set_xscale("log")
    panels[0, 0].set_xticks(points["horizon"], [str(horizon) for horizon in points["horizon"]])
    panels[0, 0].set_xticks([], minor=True)
    add_legend(figure, panels[0, 0])
    rollouts = ", ".join(f"{k} at H = {h}" for h, k in points.itertuples(index=False))
    seeds, seconds = frame["seed"].nunique(), frame["steps"].iloc[0] * 8e-3
    add_caption(
        figure,
        f"{seeds} seeds of {seconds:.1f} s; rollouts: {rollouts}. Large markers: means, 95 % intervals.\n"
        "A run succeeds where the robot has stood upright for 2 s and does so at the end.",
    )
    figure.savefig(picture)


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
