"""The speed-up by a second thread: the same plan with one and with two, interleaved in one run.

    python -m benchmarks.threads

"plan" is a plan of humanoid_getup; "bare rollouts" are a call of `mujoco.batch.Batch.rollout` with the
controls of the plan: their speed-up is the most that MuJoCo and the machine allow.
"""

import argparse
import csv
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.planner_overhead import SIZES, WARM_UP, BareRollouts
from polo_ros.agent.world import World
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.planner.rollouts import for_rollouts

TASK = "humanoid_getup"
THREADS = (1, 2)
COLUMNS = (
    "rollouts", "horizon", "what", "pairs", "speed_up", "quartile_low", "quartile_high", "one_thread_ms",
    "two_threads_ms",
)  # fmt: skip


def measure(rollouts: int, horizon: int, pairs: int) -> dict[str, list[tuple[float, float]]]:
    """Times in s with one and two threads of each quantity, along one getup."""
    settings = settings_for(TASK)
    task = settings.task
    config = replace(settings.planner, rollouts=rollouts, horizon=horizon)
    planners = [Planner(task, config, seed=0, threads=threads) for threads in THREADS]
    bares = [BareRollouts(for_rollouts(task.model), rollouts, horizon + 1, threads) for threads in THREADS]
    for planner in planners:
        planner.value, _ = load_value(settings.planner_node.weights_file, task)
    world = World(task, np.random.default_rng(0))
    times: dict[str, list[tuple[float, float]]] = {"plan": [], "bare rollouts": []}
    for pair in range(-WARM_UP, pairs):
        state = world.state
        # the order alternates, so that neither always runs with warm caches
        order = THREADS[:: 1 if pair % 2 else -1]
        # equal seeds and states give equal plans at any number of threads: both do the same work
        reports = {threads: planners[threads - 1].plan(state, world.data.time) for threads in order}
        controls = np.ascontiguousarray(planners[0].last_controls())
        bare = {threads: bares[threads - 1].run(state, controls) for threads in order}
        if pair >= 0:
            times["plan"].append((reports[1].compute_time, reports[2].compute_time))
            times["bare rollouts"].append((bare[1], bare[2]))
        world.step(planners[0].control(reports[1].plan, world.data.time))
    return times


def main() -> None:
    """Print and write the median ratios with their quartiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="only so many of the smallest sizes")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/threads.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.threads {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rollouts, horizon in SIZES[len(SIZES) - options.sizes :]:
            for what, times in measure(rollouts, horizon, options.pairs).items():
                low, median, high = statistics.quantiles([one / two for one, two in times], n=4)
                ms = [1e3 * statistics.median(column) for column in zip(*times, strict=True)]
                ratios = (f"{ratio:.3f}" for ratio in (median, low, high))
                row = (rollouts, horizon, what, options.pairs, *ratios, *(f"{one:.2f}" for one in ms))
                writer.writerow(row)
                file.flush()
                print("K={} H={} {}, {} pairs: {} ({} to {}), {} and {} ms".format(*row), flush=True)


if __name__ == "__main__":
    main()
