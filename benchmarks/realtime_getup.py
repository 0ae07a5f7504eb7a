"""Humanoid getup in real time: simulator, planner and shipped value function over ROS 2, by the wall clock.

    python -m benchmarks.realtime_getup

Each run starts supine with everything connected and lasts as long as told, whatever happens. A run stands
where the task has been achieved for its hold time, as in `polo_ros.agent.scores`; it succeeds where the
task is achieved at its end and for at least half of its time, as in `benchmarks.budget`. Rewards
are the paper's, with default weights. `--override` gives parameters of planner and task on top of
`--config`. The listener that judges runs on the same cores. With --learner a learner with the parameters of
the file learns beside the planner, and saves nothing.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.overrides import add_override_option, override_values
from benchmarks.realtime import Listener, Timekeeping, run_by_clock
from benchmarks.realtime_nodes import Nodes
from polo_ros.agent.scores import score, succeeded
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks import make_task

TASK = "humanoid_getup"
COLUMNS = (
    "torque_scale", "seed", "success", "achieved_at_end", "achieved_seconds",
    "stands", "stood_at", "longest_hold", "mean_reward",
    *(field.name for field in fields(Timekeeping)), "lost_states", "sim_time", "wall_time", "overrides",
)  # fmt: skip


def main() -> None:
    """Run, print and write a row a seed; then what each torque scale comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated time a run")
    parser.add_argument("--torque-scales", type=float, nargs="+", default=[1.0, 0.2])
    parser.add_argument("--learner", action="store_true", help="learn meanwhile")
    parser.add_argument("--realtime-factor", type=float, default=1.0)
    parser.add_argument("--config", type=Path, default=share_path("config", f"{TASK}_realtime.yaml"))
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/realtime_getup.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    given = override_values(options.override)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.realtime_getup {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for scale in options.torque_scales:
                row = run(seed, scale, given, options)
                writer.writerow(row)
                file.flush()
                rows.append(row)
                print(*(f"{key}={value}" for key, value in row.items() if value != ""), flush=True)
    for scale in options.torque_scales:
        chosen = [row for row in rows if row["torque_scale"] == scale]
        rewards = [float(row["mean_reward"]) for row in chosen]
        print(
            f"torque_scale {scale:g}: succeeds in {sum(row['success'] for row in chosen)} of {len(chosen)} "
            f"seeds, stands in {sum(row['stands'] for row in chosen)}; mean reward "
            f"{statistics.mean(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f})"
        )


def run(seed: int, scale: float, given: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """One run as a row."""
    began = time.monotonic()
    overrides: dict[str, Any] = {**given, "torque_scale": scale}
    task = settings_for(TASK, options.config, overrides).task
    nodes = Nodes(Path("runs/realtime_getup") / f"{scale:g}-{seed}")
    listener = Listener(task)
    periods = max(round(options.seconds / task.timestep), 1)
    world = {"torque_scale": scale, "seed": seed, "realtime_factor": options.realtime_factor}
    learner = {"torque_scale": scale, "seed": seed, "checkpoint_path": ""} if options.learner else None
    run_by_clock(nodes, listener, options.config, world, {**overrides, "seed": seed}, periods, learner)
    states, ctrl = listener.run(periods)
    judge = make_task(TASK, torque_scale=scale)  # with the paper's weights
    view = judge.observe(states, ctrl)
    achieved = np.asarray(judge.achieved(view))
    longest = score(judge, states).longest_hold
    times = [moment for moment, _ in listener.frames]
    solved = listener.solved_at
    stands = longest >= judge.hold_time
    measured: dict[str, Any] = {
        "achieved_seconds": float(achieved.sum() * judge.timestep),
        "longest_hold": longest,
        "mean_reward": float(judge.reward(view).mean()),
        **asdict(listener.timekeeping()),
        "sim_time": times[periods] - times[0],
        "wall_time": time.monotonic() - began,
    }
    return {
        "torque_scale": scale,
        "seed": seed,
        "success": int(succeeded(achieved)),
        "achieved_at_end": int(achieved[-1]),
        "stands": int(stands),
        "stood_at": f"{solved - times[0]:.3f}" if stands and solved is not None else "",
        **{key: f"{value:.5g}" if isinstance(value, float) else value for key, value in measured.items()},
        "lost_states": listener.lost(periods),
        "overrides": " ".join(f"{name}={value}" for name, value in given.items()),
    }


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
