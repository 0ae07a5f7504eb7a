"""A quadruped follows velocity commands by the clock: simulator and planner over ROS 2.

    python -m benchmarks.realtime_quadruped

The commands are those of `benchmarks.quadruped`, published as `cmd_vel`, and a run is judged in the same way.
The simulator has every contact of the model and physics steps of 2 ms, the planner the model of the parameter
file. With --push, a force of 0.2 s in a random direction strikes the trunk every 3 s. The listener that
publishes and judges runs on the same cores. Each run starts with everything connected and lasts as long as
told, whatever happens.

The columns that end in `_load` are CPU time by wall time; `others_load` is that of all other processes on the
machine. A run in which it is more than --others is printed, but neither written nor drawn, and is made again
when the command is given again.
"""

import argparse
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.overrides import add_override_option, override_values, overrides_column
from benchmarks.quadruped import SECONDS, Walk, draw, goal_at, judge
from benchmarks.realtime import Listener, Timekeeping, run_by_clock
from benchmarks.realtime_nodes import Nodes
from benchmarks.walkers import PHYSICS_STEP, PUSH_EVERY
from polo_ros.control.simulated_robot import PUSH_S
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.nodes.robot_operator import Operator
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks.quadruped_walk import QuadrupedWalk

TASK = "quadruped_walk"
SETTINGS = ("seed", "push", "seconds", "realtime_factor", "overrides")
RESULTS = (
    "fell_at", "velocity_error", "yaw_rate_error", "alternation",
    *(field.name for field in fields(Timekeeping)), "simulator_load", "planner_load", "others_load",
    "lost_states", "wall_seconds",
)  # fmt: skip


def main() -> None:
    """Run what is missing, write a row a seed, draw the first; then what they come to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="simulated time a run")
    parser.add_argument("--push", type=float, default=0.0, help="impulse in N·s, every 3 s")
    parser.add_argument("--realtime-factor", type=float, default=1.0)
    parser.add_argument("--config", type=Path, default=share_path("config", f"{TASK}.yaml"))
    parser.add_argument("--others", type=float, default=0.2, help="most that others may take, in cores")
    add_override_option(parser, "a parameter of the planner in place of the file's")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/realtime_quadruped.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m benchmarks.realtime_quadruped", SETTINGS, RESULTS)
    jobs: list[Row] = [
        {
            "seed": seed,
            "push": options.push,
            "seconds": options.seconds,
            "realtime_factor": options.realtime_factor,
            "overrides": overrides_column(options.override),
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    for job in file.missing(jobs):
        row, walk = run(job, options.config, override_values(options.override))
        print(*(f"{name}={row[name]}" for name in ("seed", *RESULTS)), flush=True)
        if row["others_load"] > options.others:
            print(f"seed {job['seed']} does not count: the machine was not idle", flush=True)
            continue
        file.add([row], jobs)
        if job["seed"] == options.first_seed:
            how = "_pushed" if job["push"] else ""
            picture = options.out.with_name(f"{options.out.stem}{how}.png")
            draw(walk, "over ROS 2 by the clock", picture)
    frame = file.frame(jobs)
    fell = frame["fell_at"] != "never"
    print(f"{(~fell).sum()} of {len(frame)} did not fall; means of the others:")
    print(frame[~fell][list(RESULTS[1:])].astype(float).mean().to_string())


class User:
    """Commands velocities and pushes the robot's trunk.

    Args:
      trunk: the body.
      push: impulse in N·s, 0 for none.
      seed: of the directions.
    """

    def __init__(self, trunk: str, push: float, seed: int) -> None:
        self._trunk, self._force = trunk, push / PUSH_S
        self._rng = np.random.default_rng([seed, 1])
        self._pushes = 0

    def __call__(self, operator: Operator, time: float) -> None:
        """Do what is due at a time in s."""
        operator.drive(goal_at(time))
        if self._force and time >= (self._pushes + 1) * PUSH_EVERY:
            self._pushes += 1
            angle = self._rng.uniform(0.0, 2.0 * np.pi)
            force = self._force * np.array([np.cos(angle), np.sin(angle), 0.0])
            operator.push(self._trunk, force, np.zeros(3))


def run(job: Row, file: Path, given: dict[str, Any]) -> tuple[Row, Walk]:
    """One run as a row, and how the robot walked."""
    task = settings_for(TASK, file, given).task
    assert isinstance(task, QuadrupedWalk)
    nodes = Nodes(Path("runs/realtime_quadruped") / f"{job['seed']}-{job['push']:g}")
    listener = Listener(task, User(task.setup.base, job["push"], job["seed"]))
    periods = max(round(job["seconds"] / task.timestep), 1)
    world = {"seed": job["seed"], "realtime_factor": job["realtime_factor"]}
    run_by_clock(nodes, listener, file, world, {**given, "seed": job["seed"]}, periods)
    states, ctrl = listener.run(periods)
    setup = replace(task.setup, timestep=PHYSICS_STEP, simple_contacts=False)
    walk = judge(task, QuadrupedWalk(task.model_path, setup=setup), states, ctrl)
    row = {
        **job,
        **walk.figures(),
        **asdict(listener.timekeeping()),
        "simulator_load": listener.load["simulator_node"],
        "planner_load": listener.load["planner_node"],
        "others_load": listener.load["others"],
        "lost_states": listener.lost(periods),
        "wall_seconds": listener.wall_seconds,
    }
    return row, walk


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
