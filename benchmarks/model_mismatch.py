"""Robots that are not as their models say: return of planning on one model, on several, and identified.

    python -m benchmarks.model_mismatch --robot cartpole
    python -m benchmarks.model_mismatch --robot go2

Lockstep without ROS 2: the planner's model is the nominal one; the world's has a payload, other friction or
another actuator gain, or takes each command late, which the planner is not told of. A cart-pole swings up
from hanging; its world has physics steps of 10 ms. A Go2 walks ahead at 0.5 m/s for 3 s, then to the left at
0.3 m/s, with feet that touch in the planner, and all contacts and steps of 2 ms in the world. "one model"
plans as the robot's parameter file says. Planning on four models costs four times as much. "identified"
plans on one model, some of whose factors are fitted every 50 control periods to the last 200 of the same run.
"""

import argparse
import functools
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.mismatched_robots import NOMINAL, ROBOTS, MismatchedWorld, Robot
from experiments.style import Style, add_caption, add_legend, new_figure
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.identification import Identification
from polo_ros.control.state import Snapshot
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

STYLES = {
    "one model": Style("one model", GREY, "o"),
    "one model, four times the rollouts": Style("one model, as costly as four", GREEN, "v"),
    "four models, mean": Style("four models: mean", BLUE, "s"),
    "four models, worst half": Style("four models: the worst half", VERMILION, "D"),
    "identified": Style("one model, identified", ORANGE, "^"),
}
SETTINGS = ("error", "size", "planning", "seed", "steps")
# `achieved` counts control periods, `fit_s` is the longest fit's CPU time, the factors are those found last
RESULTS = ("mean_reward", "achieved", "fit_s", "mass", "friction", "gain")


def main() -> None:
    """Run what is missing, write a row a run, print means, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--robot", choices=list(ROBOTS), default="cartpole")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0 to 9")
    parser.add_argument("--steps", type=int, default=300, help="control periods a run, of 20 ms")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument(
        "--only", nargs="+", metavar="ERROR=SIZE", help="run these now, the others when asked again"
    )
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/model_mismatch_<robot>.csv")
    options = parser.parse_args()
    out = options.out or Path(f"benchmarks/results/model_mismatch_{options.robot}.csv")
    out.parent.mkdir(parents=True, exist_ok=True)
    robot = ROBOTS[options.robot]
    header = f"# python -m benchmarks.model_mismatch --robot {options.robot}"
    if options.seeds:
        header += f" --seeds {' '.join(map(str, options.seeds))}"
    file = ResultsFile(out, header, SETTINGS, RESULTS)
    jobs: list[Row] = [
        {"error": error, "size": size, "planning": planning, "seed": seed, "steps": options.steps}
        for seed in options.seeds or range(10)
        for (error, size), planning in product(_settings(robot), robot.planning)
    ]
    now = [job for job in jobs if not options.only or f"{job['error']}={job['size']:g}" in options.only]
    with worker_processes(options.processes):
        for row in run_jobs(functools.partial(run, name=options.robot), file.missing(now)):
            file.add([row], jobs)
            print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    print(draw(file.frame(jobs), robot, out.with_suffix(".png")).to_string(float_format="{:.3f}".format))


def _settings(robot: Robot) -> Iterator[tuple[str, float]]:
    """Each error and its sizes; the nominal robot once."""
    yield "payload", 0.0
    for error, sizes in robot.errors.items():
        yield from ((error, size) for size in sizes if size != NOMINAL[error])


def run(job: Row, name: str) -> Row:
    """A run of some control periods."""
    robot, seed = ROBOTS[name], job["seed"]
    settings = settings_for(robot.task)
    task = settings.task
    world = MismatchedWorld(robot, job["error"], job["size"], task.timestep, seed)
    config = replace(settings.planner, **robot.planning[job["planning"]])
    planner = Planner(task, config, seed, threads=1)
    period, fit_times = round(task.timestep * NANOSECONDS), [0.0]
    identifies = job["planning"] == "identified"
    identification = Identification(task, robot.identified, period)
    states, controls = [], []
    for index in range(job["steps"]):
        now = index * task.timestep
        world.set_goal(now)
        states.append(world.state)
        controls.append(planner.control(planner.plan(world.state, now).plan, now))
        world.step(controls[-1])
        known = Transition(Snapshot(states[-1], index * period), 0, controls[-1])
        if identifies and identification.add([known]):
            began = time.process_time()
            planner.use_model(identification.fit(identification.take()))
            fit_times.append(time.process_time() - began)
    view = task.observe(np.array(states), np.array(controls))
    return {
        **job,
        "mean_reward": float(task.reward(view).mean()),
        "achieved": int(task.achieved(view).sum()),
        "fit_s": max(fit_times),
        **asdict(identification.errors),
    }


def draw(frame: pd.DataFrame, robot: Robot, picture: Path) -> pd.DataFrame:
    """Draw the return against each error; the means."""
    nominal = frame[(frame["error"] == "payload") & (frame["size"] == 0.0)]
    others = [nominal.assign(error=error, size=NOMINAL[error]) for error in NOMINAL if error != "payload"]
    frame = pd.concat([frame, *others])
    figure = new_figure(11, 3.8)
    for axes, (error, label) in zip(figure.subplots(1, 4, sharey=True), robot.labels.items(), strict=True):
        for planning in robot.planning:
            style = STYLES[planning]
            runs = frame[(frame["error"] == error) & (frame["planning"] == planning)]
            axes.plot(runs["size"], runs["mean_reward"], style.marker, color=style.colour, ms=3, alpha=0.3)
            means = runs.groupby("size")["mean_reward"].mean()
            axes.plot(means, f"{style.marker}-", color=style.colour, ms=6, lw=1.5, label=style.label)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("mean reward")
    add_legend(figure, figure.axes[0], robot.title, len(robot.planning))
    counts = frame.groupby(["error", "size", "planning"])["seed"].nunique()
    seeds = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else counts.max()
    add_caption(figure, f"Lines: means of {seeds} seeds. Small markers: each seed.")
    figure.savefig(picture)
    return frame.groupby(["error", "size", "planning"])[list(RESULTS)].mean()


if __name__ == "__main__":
    main()
