"""The ratio of the time of a plan to that of its rollouts alone, interleaved in one run.

    python -m benchmarks.planner_overhead

The rollouts alone are a call of `mujoco.batch.Batch.rollout` with the same K, H, threads, state and controls,
which records the same sensors into an existing buffer. It is timed with H physics steps and with H + 1, which
the planner needs for the terminal state, both of the planner's copy of the model
(`polo_ros.planner.rollouts.for_rollouts`), and with H steps of the original model. Settings are those of
`config/humanoid_getup_paper_torque.yaml`.
"""

import argparse
import csv
import statistics
import time
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch

from polo_ros.files import share_path
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.planner.rollouts import for_rollouts
from polo_ros.tasks.state import set_state

SIZES = ((120, 64), (30, 64), (30, 16), (16, 16))
WARM_UP = 5
# which model the bare rollouts simulate, and how many substeps more than H
BARE = (("planner's", 0), ("planner's", 1), ("as it is", 0))


class BareRollouts:
    """Simulations alone: K copies of one state under given controls."""

    def __init__(self, model: mujoco.MjModel, rollouts: int, horizon: int, threads: int) -> None:
        self._model = model
        self._horizon = horizon
        self._batch = Batch(model, rollouts, threads)
        self._out = {"sensordata": np.empty((rollouts, horizon, model.nsensordata))}
        self._data = mujoco.MjData(model)

    def run(self, state: np.ndarray, controls: np.ndarray) -> float:
        """Roll out and return the wall time, in s."""
        set_state(self._model, self._data, state)
        whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
        row = np.empty(self._batch.nstate)
        mujoco.mj_getState(self._model, self._data, row, whole)
        self._batch.state[:] = row
        began = time.perf_counter()
        self._batch.rollout(self._horizon, controls, record=("sensordata",), out=self._out)
        return time.perf_counter() - began


def measure(rollouts: int, horizon: int, pairs: int, threads: int) -> list[tuple[float, ...]]:
    """Times in s of a plan and of each of `BARE`, in turns, along a getup."""
    settings = settings_for("humanoid_getup", share_path("config", "humanoid_getup_paper_torque.yaml"))
    task = settings.task
    config = replace(settings.planner, rollouts=rollouts, horizon=horizon)
    planner = Planner(task, config, seed=0, threads=threads)
    planner.value, _ = load_value(settings.planner_node.weights_file, task)
    models = {"planner's": for_rollouts(task.model), "as it is": task.model}
    bares = [BareRollouts(models[model], rollouts, horizon + extra, threads) for model, extra in BARE]
    data = mujoco.MjData(task.model)
    task.start(data, np.random.default_rng(0))
    times = []
    for step in range(WARM_UP + pairs):
        state = task.state_of(data)
        report = planner.plan(state, data.time)
        # the very controls of the planner's rollouts, so that both simulate the same contacts
        controls = planner.last_controls()
        alone = [
            bare.run(state, np.ascontiguousarray(controls[:, : horizon + extra]))
            for bare, (_, extra) in zip(bares, BARE, strict=True)
        ]
        if step >= WARM_UP:
            times.append((report.compute_time, *alone))
        data.ctrl[:] = planner.control(report.plan, data.time)
        mujoco.mj_step(task.model, data)
    return times


def main() -> None:
    """Print and write the median ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/planner_overhead.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(
            f"# python -m benchmarks.planner_overhead --pairs {options.pairs} --threads {options.threads}\n"
        )
        writer = csv.writer(file)
        writer.writerow(
            ("rollouts", "horizon", "model", "substeps", "ratio", "quartile_low", "quartile_high", "plan_ms")
        )
        for rollouts, horizon in SIZES:
            times = measure(rollouts, horizon, options.pairs, options.threads)
            plan_ms = 1e3 * statistics.median(row[0] for row in times)
            for index, (model, extra) in enumerate(BARE, start=1):
                low, median, high = statistics.quantiles([row[0] / row[index] for row in times], n=4)
                ratios = [f"{ratio:.3f}" for ratio in (median, low, high)]
                row = (rollouts, horizon, model, horizon + extra, *ratios, f"{plan_ms:.1f}")
                writer.writerow(row)
                print("K={} H={}: plan / bare, model {}, {} substeps: {} ({} to {}), plan {} ms".format(*row))


if __name__ == "__main__":
    main()
