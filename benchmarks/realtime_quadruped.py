"""A quadruped follows velocity commands by the clock: simulator and planner over ROS 2.

    python -m benchmarks.realtime_quadruped

The commands are those of `benchmarks.quadruped`, published as `cmd_vel`, and a run is judged in the same way.
The simulator has every contact of the model and physics steps of 2 ms, the planner the model of the parameter
file. The listener that publishes and judges runs on the same cores. Each run starts with everything connected
and lasts as long as told, whatever happens. `simulator_load` and `planner_load` are CPU time by wall time.
"""

import argparse
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.overrides import add_override_option, override_values
from benchmarks.quadruped import PHYSICS_STEP, SECONDS, draw, goal_at, judge
from benchmarks.realtime import Listener, Nodes, Timekeeping, run_by_clock
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks.quadruped_walk import QuadrupedWalk

TASK = "quadruped_walk"
SETTINGS = ("seed", "seconds", "realtime_factor", "overrides")
RESULTS = (
    "fell_at", "velocity_error", "yaw_rate_error", "alternation",
    *(field.name for field in fields(Timekeeping)), "simulator_load", "planner_load", "lost_states",
    "wall_seconds",
)  # fmt: skip


def main() -> None:
    """Run what is missing, write a row a seed, draw the first; then what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="simulated time a run")
    parser.add_argument("--realtime-factor", type=float, default=1.0)
    parser.add_argument("--config", type=Path, default=share_path("config", f"{TASK}.yaml"))
    add_override_option(parser, "a parameter of the planner in place of the file's")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/realtime_quadruped.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m benchmarks.realtime_quadruped", SETTINGS, RESULTS)
    jobs: list[Row] = [
        {
            "seed": seed,
            "seconds": options.seconds,
            "realtime_factor": options.realtime_factor,
            "overrides": " ".join(options.override) or "none",
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    for job in file.missing(jobs):
        picture = options.out.with_suffix(".png") if job["seed"] == options.first_seed else None
        row = run(job, options.config, override_values(options.override), picture)
        file.add([row], jobs)
        print(*(f"{name}={row[name]}" for name in ("seed", *RESULTS)), flush=True)
    frame = file.frame(jobs)
    fell = frame["fell_at"] != "never"
    print(f"{(~fell).sum()} of {len(frame)} did not fall; means of the others:")
    print(frame[~fell][list(RESULTS[1:])].astype(float).mean().to_string())


def run(job: Row, file: Path, given: dict[str, Any], picture: Path | None) -> Row:
    """One run as a row; draws it where there is a picture to write."""
    task = settings_for(TASK, file, given).task
    assert isinstance(task, QuadrupedWalk)
    nodes = Nodes(Path("runs/realtime_quadruped") / f"{job['seed']}")
    listener = Listener(task, goal_at)
    periods = max(round(job["seconds"] / task.timestep), 1)
    world = {"seed": job["seed"], "realtime_factor": job["realtime_factor"]}
    run_by_clock(nodes, listener, file, world, {**given, "seed": job["seed"]}, periods)
    states, ctrl = listener.run(periods)
    setup = replace(task.setup, timestep=PHYSICS_STEP, simple_contacts=False)
    walk = judge(QuadrupedWalk(task.model_path, setup=setup), states, ctrl)
    if picture is not None:
        draw(task, walk, "over ROS 2 by the clock", picture)
    return {
        **job,
        **walk.figures(),
        **asdict(listener.timekeeping()),
        "simulator_load": listener.load["simulator_node"],
        "planner_load": listener.load["planner_node"],
        "lost_states": listener.lost(periods),
        "wall_seconds": listener.wall_seconds,
    }


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
