"""Planning while the robot moves, against lockstep, at equal rollouts a second of simulated time.

    python -m benchmarks.asynchronous

Simulated time in real time runs by `realtime_factor` so slowly that one plan is made for every state, as in
lockstep: then both spend the same rollouts, and only when a plan comes is different. The factor is found
from round trips before the runs and never above 1. The planner sleeps for an injected delay, meant in
simulated time, before each plan returns; plans that a delay costs are not made up for, and the column of
rollouts a second says how many there were. Return is the paper's mean reward; the point mass has no reward,
so that its return is coverage, the share of free cells that were visited, and its learner runs, too, by
the wall clock in either mode. Rows that the CSV file already has are not run again.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.realtime import Listener
from benchmarks.realtime_nodes import Nodes
from benchmarks.round_trip import measure
from benchmarks.shipped import params_file
from benchmarks.tasks import judged
from experiments.style import TASK_NAMES, Style, add_caption, add_legend, count_in_words, new_figure
from polo_ros.parameters.settings import settings_for
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

# control periods a run: 8 s of cart-pole, 15 s of point mass, 3.2 s of getting up
STEPS = {"cartpole_swingup": 400, "pointmass_box": 300, "humanoid_getup": 400}
DELAYS = (0.0, 10.0, 30.0, 100.0)
# a state's plan shall be made in this share of the wall time to the next state
MARGIN = 0.6
COLUMNS = (
    "task", "seed", "mode", "delay_ms", "compensation", "realtime_factor", "steps", "return",
    "rollouts_per_second", "plan_age", "plan_age_max", "missed_plans", "deadline_misses", "safe_fraction",
    "lost_states", "wall_time",
)  # fmt: skip
# of the parameter latency_compensation: value, style, and shift beside the other, in delays
COMPENSATION = (
    (1, Style("latency compensated", BLUE, "o"), -0.06),
    (0, Style("not compensated", VERMILION, "s"), 0.06),
)
KEY = ("task", "seed", "mode", "delay_ms", "compensation")
Row = dict[str, str]


def main() -> None:
    """Run what is missing, write it, draw it, print what it comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--delays", type=float, nargs="+", default=list(DELAYS), help="in ms of simulated time"
    )
    parser.add_argument("--steps", type=int, help="control periods a run (default: the task's own)")
    parser.add_argument(
        "--realtime-factor", type=float, default=0.0, help="0: what the round trips of plans without V afford"
    )
    parser.add_argument("--trips", type=int, default=50, help="round trips that the factor is found from")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/asynchronous.csv"))
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, draw --out again")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if options.draw_only:
        draw(options.out)
        return
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    if options.out.exists():
        with options.out.open() as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    else:
        command = f"# python -m benchmarks.asynchronous {' '.join(sys.argv[1:])}".rstrip()
        options.out.write_text(f"{command}\n{','.join(COLUMNS)}\n")
    done = {tuple(row[name] for name in KEY) for row in rows}
    settings = [("lockstep", 0.0, 0)]
    settings += [("real time", delay, on) for delay in options.delays for on in (1, 0)]
    for task in options.tasks:
        jobs = [(task, str(seed), *setting) for seed in range(options.seeds) for setting in settings]
        jobs = [job for job in jobs if tuple(map(text, job)) not in done]
        if not jobs:
            continue
        before = next((float(row["realtime_factor"]) for row in rows if row["task"] == task), 0.0)
        factor = before or options.realtime_factor or affordable(task, options.trips)
        for job in jobs:
            row = run(*job, factor=factor, steps=options.steps or STEPS[task])
            with options.out.open("a", newline="") as file:
                csv.DictWriter(file, COLUMNS).writerow(row)
            rows.append(row)
            print(*(f"{key}={value}" for key, value in row.items()), flush=True)
            draw(options.out)
    for task in options.tasks:
        print(comparison(rows, task))


def text(value: object) -> str:
    """A CSV cell."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def affordable(task: str, trips: int) -> float:
    """The real-time factor at which a plan a state takes `MARGIN` of the time there is."""
    trip = statistics.median(trip for trip, _ in measure(task, trips))
    return min(1.0, round(MARGIN * settings_for(task).task.timestep / trip, 3))


def run(
    name: str, seed: str, mode: str, delay: float, compensation: int, *, factor: float, steps: int
) -> Row:
    """One run as a row; the delay is in ms of simulated time."""
    began = time.monotonic()
    settings = settings_for(name)
    file = params_file(name)
    nodes = Nodes(
        Path("runs/asynchronous") / f"{name}-{seed}-{mode.replace(' ', '_')}-{delay:g}-{compensation}"
    )
    listener = Listener(settings.task)
    common: dict[str, Any] = {"task": name, "seed": int(seed), "lockstep": mode == "lockstep"}
    planner: dict[str, Any] = {
        **common, "use_sim_time": True, "autostart": True, "latency_compensation": bool(compensation),
    }  # fmt: skip
    learns = not settings.task.terms

    def start_others() -> None:
        if mode == "lockstep":
            nodes.start("planner_node", [file], planner)
        else:
            wall_delay = 1e-3 * delay / factor
            nodes.start_own("slow_planner", ("--delay", str(wall_delay)), file, planner)
        if learns:
            nodes.start("learner_node", [file], {"task": name, "seed": int(seed), "use_sim_time": True})

    names = {"planner_node"} | ({"learner_node"} if learns else set())
    try:
        nodes.start("simulator_node", [file], {**common, "realtime_factor": factor})
        listener.run_from_rest(nodes, start_others, names, steps)
    finally:
        nodes.stop()
        listener.close()
    judgement = judged(name, *listener.run(steps))
    keeping = listener.timekeeping()
    planned = settings.planner.rollouts * settings.planner.iterations
    row: dict[str, object] = {
        "task": name, "seed": seed, "mode": mode, "delay_ms": delay, "compensation": compensation,
        "realtime_factor": factor, "steps": steps,
        "return": judgement["mean_reward"] if settings.task.terms else judgement["coverage"],
        "rollouts_per_second": planned * keeping.plan_rate,
        "plan_age": keeping.plan_age, "plan_age_max": keeping.plan_age_max,
        "missed_plans": keeping.missed_plans, "deadline_misses": keeping.deadline_misses,
        "safe_fraction": keeping.safe_fraction, "lost_states": listener.lost(steps),
        "wall_time": time.monotonic() - began,
    }  # fmt: skip
    return {key: text(value) for key, value in row.items()}


def returns(
    rows: list[Row], task: str, mode: str, delay: float, compensation: int, column: str
) -> list[float]:
    """A column of one setting's runs, by seed."""
    wanted = (task, mode, text(delay), text(compensation))
    chosen = [row for row in rows if tuple(row[key] for key in KEY if key != "seed") == wanted]
    return [float(row[column]) for row in sorted(chosen, key=lambda row: int(row["seed"]))]


def comparison(rows: list[Row], task: str) -> str:
    """One sentence: real time without delay against lockstep."""
    said = []
    for column in ("return", "rollouts_per_second"):
        locked = returns(rows, task, "lockstep", 0.0, 0, column)
        free = returns(rows, task, "real time", 0.0, 1, column)
        pairs = min(len(locked), len(free))
        if pairs < 2:
            return f"{task}: too few seeds to compare"
        ratios = [a / b for a, b in zip(free[:pairs], locked[:pairs], strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4)
        means = f"{statistics.mean(free):.4g} against {statistics.mean(locked):.4g}"
        said.append(f"{column} {means}, median ratio {median:.3f} ({low:.3f} to {high:.3f})")
    return f"{task}, real time against lockstep: {'; '.join(said)}"


def draw(file: Path) -> None:
    """Draw beside the CSV file the return against the delay, with and without compensation."""
    frame = pd.read_csv(file, comment="#")
    tasks = [task for task in STEPS if task in set(frame["task"])]
    figure = new_figure(3.7 * len(tasks), 4.1)
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        runs = frame[frame["task"] == task]
        locked, seeds = runs[runs["mode"] == "lockstep"]["return"], "lockstep: range of seeds"
        if len(locked):
            axes.axhline(locked.mean(), color=GREY, ls="--", lw=1.5, label="lockstep: mean")
            axes.axhspan(locked.min(), locked.max(), color=GREY, alpha=0.15, lw=0, label=seeds)
        runs = runs[runs["mode"] == "real time"]
        delays = sorted(runs["delay_ms"].unique())
        for compensation, style, shift in COMPENSATION:
            chosen = runs[runs["compensation"] == compensation]
            places = chosen["delay_ms"].map(delays.index) + shift
            axes.plot(
                places, chosen["return"], style.marker, color=style.colour, ms=4, alpha=0.4,
                label=f"{style.label}: seeds",
            )  # fmt: skip
            axes.plot(
                chosen["return"].groupby(places).mean(), f"{style.marker}-", color=style.colour, lw=2,
                label=f"{style.label}: mean",
            )  # fmt: skip
        axes.set_xticks(range(len(delays)), [f"{delay:g}" for delay in delays])
        axes.set_xlim(-0.5, len(delays) - 0.5)
        axes.set(title=TASK_NAMES[task], xlabel="injected delay, in ms of simulated time")
        axes.set_ylabel("mean reward" if settings_for(task).task.terms else "share of free cells visited")
        axes.grid(alpha=0.3)
    add_legend(figure, figure.axes[0], "Planning while the robot moves, in real time", ncols=3)
    seeds = frame.groupby(["task", "mode", "delay_ms", "compensation"])["seed"].nunique()
    add_caption(figure, f"{count_in_words(seeds)} each. In lockstep the robot waits for every plan.")
    figure.savefig(file.with_suffix(".png"))


if __name__ == "__main__":
    main()
