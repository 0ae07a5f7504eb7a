"""How many simulator steps a second real-time control needs, with and without a value function.

    python -m benchmarks.budget

Real time is emulated (`benchmarks.emulated_time`): a plan takes as long as its simulator steps cost at the
given rate, so that a run repeats to the bit on any machine. Each run lasts as long as told from the task's
start state, whatever happens. It succeeds where the task is achieved at its end and for at least half of its
time (for getup: upright, with the root between 1 m and 1.45 m). Rewards are the paper's, with default
weights. Rows that the CSV file already has are not run again. Other settings, such as another horizon, add
rows to the same file; the picture shows them all.
"""

import argparse
import functools
import itertools
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from benchmarks.emulated_time import run
from benchmarks.overrides import add_override_option, column_values, overrides_column
from experiments.style import TASK_NAMES, Style, add_caption, add_legend, count_in_words, new_figure
from polo_ros.agent.scores import score, succeeded
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks import make_task
from polo_ros.viewer.figures import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

RATES = (10_000, 15_000, 20_000, 30_000, 60_000)
WEIGHTS = "results/horizons/getup_fifth_torque/weights.safetensors"
SETTINGS = (
    "task", "torque_scale", "weights_file", "value_weight", "horizon", "rollouts", "overrides", "seconds",
    "steps_per_second", "seed",
)  # fmt: skip
RESULTS = (
    "success", "achieved_at_end", "achieved_seconds", "longest_hold", "mean_reward", "plans_per_second",
    "ready_after",
)  # fmt: skip
# shades and markers of the horizons: with a value function, and without
WITH, WITHOUT = (BLUE, VERMILION, PURPLE, BLACK), (GREY, ORANGE, GREEN)
MARKERS = "osD^vPX"
# characters in a line of the legend
LABEL_WIDTH = 85
# what the picture calls weights files, and overrides by one of them; others are named as they are
VALUES = {
    "results/aggregation/getup/weights.safetensors": "value function from returns, 1",
    "results/aggregation/second/weights.safetensors": "value function from returns, 2",
    "results/horizons/getup_fifth_torque/weights.safetensors": "value function by eq. (7)",
}
REWARDS = {"reward.balance=-1.0": "reward with balance", "reward.upright=0.0": "the paper's reward"}
# what tells one line from another
LINE = ["value_weight", "horizon", "rollouts", "weights_file", "overrides"]


def main() -> None:
    """Run what is missing, write a row a run, draw, print the successes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--config", type=Path, help="parameter file (default: the task's for real time)")
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES), help="simulator steps a second")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated time a run")
    parser.add_argument("--torque-scale", type=float, default=0.2)
    parser.add_argument("--horizon", type=int, default=32)
    parser.add_argument("--rollouts", type=int, default=12)
    parser.add_argument("--weights", default=WEIGHTS, help="value function")
    parser.add_argument(
        "--value-weights", type=float, nargs="+", default=[1.0, 0.0], help="0 plans without value function"
    )
    add_override_option(parser, "a further parameter in place of the file's")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/budget.csv"))
    parser.add_argument("--draw-only", action="store_true", help="run nothing, draw --out again")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m benchmarks.budget", SETTINGS, RESULTS)
    if not options.draw_only:
        jobs = all_jobs(options)
        config = options.config or share_path("config", f"{options.task}_realtime.yaml")
        with worker_processes(options.processes):
            for row in run_jobs(functools.partial(run_job, config=config), file.missing(jobs)):
                file.add([row], jobs)
                print(
                    *(f"{name}={row[name]}" for name in (*SETTINGS[3:6], *SETTINGS[8:], *RESULTS)), flush=True
                )
    draw(options.out)
    frame = pd.read_csv(options.out, comment="#", keep_default_na=False)
    print(frame.groupby(list(SETTINGS[:-1]))["success"].agg(["sum", "count"]).to_string())


def all_jobs(options: argparse.Namespace) -> list[Row]:
    """The runs that the options ask for: all seeds of a rate before the next rate."""
    rows = []
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for rate, weight, seed in itertools.product(options.rates, options.value_weights, seeds):
        rows.append(
            {
                "task": options.task,
                "torque_scale": options.torque_scale,
                "weights_file": options.weights if weight else "none",
                "value_weight": weight,
                "horizon": options.horizon,
                "rollouts": options.rollouts,
                "overrides": overrides_column(options.override),
                "seconds": options.seconds,
                "steps_per_second": rate,
                "seed": seed,
            }
        )
    return rows


def run_job(job: Row, config: Path) -> Row:
    """One run as a row."""
    given = column_values(job["overrides"])
    given |= {name: job[name] for name in ("torque_scale", "value_weight", "horizon", "rollouts")}
    settings = settings_for(job["task"], config, given)
    task, seconds = settings.task, job["seconds"]
    value = load_value(job["weights_file"], task)[0] if job["value_weight"] else None
    result = run(settings, value, job["seed"], seconds, job["steps_per_second"])
    judge = make_task(task.name, torque_scale=job["torque_scale"])  # with the paper's weights
    view = judge.observe(result.states, result.ctrl)
    achieved = np.asarray(judge.achieved(view))
    return {
        **job,
        "success": int(succeeded(achieved)),
        "achieved_at_end": int(achieved[-1]),
        "achieved_seconds": float(achieved.sum() * task.timestep),
        "longest_hold": score(judge, result.states).longest_hold,
        "mean_reward": float(judge.reward(view).mean()),
        "plans_per_second": result.plans / seconds,
        "ready_after": result.ready_after,
    }


def draw(file: Path) -> None:
    """Draw beside the CSV file successes and time achieved against the rate, a column a task and torque."""
    frame = pd.read_csv(file, comment="#", keep_default_na=False)
    frame = frame.assign(achieved=frame["achieved_seconds"] / frame["seconds"])
    columns = list(frame.groupby(["task", "torque_scale"]))
    figure = new_figure(max(4.5 * len(columns), 7.0), 8.5)
    panels = figure.subplots(2, len(columns), squeeze=False, sharex="col")
    styles = line_styles(frame)
    for (shares, times), ((task, torque), runs) in zip(panels.T, columns, strict=True):
        for key, rows in runs.groupby(LINE, sort=False):
            style, line = styles[key], "-" if key[0] else "--"
            grouped = rows.groupby("steps_per_second")
            success, achieved = grouped["success"].mean(), grouped["achieved"].mean()
            look = {
                "marker": style.marker,
                "ls": line,
                "color": style.colour,
                "lw": 2,
                "ms": 7,
                "alpha": 0.85,
            }
            shares.plot(success.index, success, label=style.label, **look)
            times.plot(achieved.index, achieved, **look)
            times.plot(rows["steps_per_second"], rows["achieved"], ".", color=style.colour, ms=5, alpha=0.4)
        rates = sorted(runs["steps_per_second"].unique())
        shares.set(title=f"{TASK_NAMES.get(task, task)}, torque × {torque:g}", ylabel="runs that succeed")
        times.set(xlabel="simulator steps a second, in thousands", ylabel="time upright")
        for axes in (shares, times):
            axes.set(xscale="log", ylim=(-0.04, 1.04))
            axes.set_xticks(rates, [f"{rate / 1000:g}" for rate in rates])
            axes.set_xticks([], minor=True)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
            axes.grid(alpha=0.3)
    add_legend(figure, figure.axes[0], "Real time as a budget of simulator steps", ncols=1)
    seeds = count_in_words(frame.groupby([*SETTINGS[:-1]])["seed"].nunique())
    seconds = "/".join(f"{value:g}" for value in sorted(frame["seconds"].unique()))
    add_caption(
        figure,
        f"{seeds} at each point, {seconds} s each. A run succeeds where the task is achieved at its end and\n"
        "for at least half of its time. A plan takes as long as its simulator steps. Small dots: seeds.",
    )
    figure.savefig(file.with_suffix(".png"))


def in_words(overrides: str) -> str:
    """Overrides such as `noise_sigma=0.7 reward.height=1.5` for people to read."""
    words = overrides.split()
    named = [REWARDS[word] for word in words if word in REWARDS]
    kept = [word for word in words if not (named and word.startswith("reward."))]
    kept = [word for word in kept if not word.startswith("setup.")]  # what the value function sees
    said = [word.replace("_", " ").replace("reward.", "reward ").replace("=", " ") for word in kept]
    return ", ".join(named + said)


def line_styles(frame: pd.DataFrame) -> dict[object, Style]:
    """How each setting is drawn; what all settings share is not named."""
    styles: dict[object, Style] = {}
    for key, _ in frame.groupby(LINE, sort=False):
        weight, horizon, rollouts, weights_file, overrides = key
        value = VALUES.get(weights_file, f"value function {weights_file}")
        value += "" if weight in (0.0, 1.0) else f", weight {weight:g}"
        label = f"{value if weight else 'planner alone'}, H = {horizon}, K = {rollouts}"
        if frame["overrides"].nunique() > 1:
            label += f", {in_words(overrides)}"
        index = sum(bool(other[0]) == bool(weight) for other in styles)  # type: ignore[index]
        colours = WITH if weight else WITHOUT
        colour = colours[index % len(colours)]
        styles[key] = Style(textwrap.fill(label, LABEL_WIDTH), colour, MARKERS[len(styles) % len(MARKERS)])
    return styles


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
