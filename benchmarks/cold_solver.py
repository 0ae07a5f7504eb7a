"""Time saved and accuracy lost by the solver settings of rollouts.

    python -m benchmarks.cold_solver

Rollouts from start states under random-walk controls with the original model ("warm") and that of rollouts
("cold", `for_rollouts`), in turns. Accuracy is the largest difference of a velocity, after one step from each
of many states along them, from a solver that iterates until nothing changes.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch

from polo_ros.arrays import Array
from polo_ros.planner.rollouts import for_rollouts
from polo_ros.tasks import make_task, task_classes
from polo_ros.tasks.state import set_state
from polo_ros.tasks.task import Task

SIMULATIONS = 240
# differences of a velocity above this, in m/s or rad/s, are counted
ACCURATE = 1e-9
# every so many steps of a rollout a state is tested
STRIDE = 4
# standard deviation of the change of a control from step to step, as a share of half its range
SIGMA = 0.1
COLUMNS = (
    "task", "time_ratio", "states", "warm_off", "cold_off", "warm_p99", "cold_p99", "warm_largest",
    "cold_largest",
)  # fmt: skip


def main() -> None:
    """Measure, print, and write a row a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=128, help="physics steps a rollout")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cold_solver.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name in task_classes():
            task = make_task(name)
            ratio = time_ratio(task, options.steps, options.pairs)
            errors = one_step_errors(task, options.steps)
            row = (
                name, f"{ratio:.3f}", errors.shape[1], *(errors > ACCURATE).sum(axis=1),
                *(f"{error:.1e}" for error in np.percentile(errors, 99, axis=1)),
                *(f"{error:.1e}" for error in errors.max(axis=1)),
            )  # fmt: skip
            writer.writerow(row)
            file.flush()
            print(dict(zip(COLUMNS, map(str, row), strict=True)), flush=True)


def random_walk_problem(task: Task, steps: int) -> tuple[Array, Array]:
    """Integration states of starts, (SIMULATIONS, size), and controls, (SIMULATIONS, steps, nu)."""
    rng = np.random.default_rng(0)
    whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    rows = np.empty((SIMULATIONS, mujoco.mj_stateSize(task.model, whole)))
    for row in rows:
        data = mujoco.MjData(task.model)
        set_state(task.model, data, task.start_state(rng))
        mujoco.mj_getState(task.model, data, row, whole)
    half_range = 0.5 * (task.control_high - task.control_low)
    steered = SIGMA * half_range * rng.standard_normal((SIMULATIONS, steps, task.model.nu)).cumsum(axis=1)
    return rows, np.clip(task.neutral + steered, task.control_low, task.control_high)


def time_ratio(task: Task, steps: int, pairs: int) -> float:
    """The median of cold over warm times."""
    rows, controls = random_walk_problem(task, steps)
    batches = [Batch(model, SIMULATIONS) for model in (task.model, for_rollouts(task.model))]

    def spent(batch: Batch) -> float:
        batch.state[:] = rows
        began = time.perf_counter()
        batch.rollout(steps, controls)
        return time.perf_counter() - began

    times = [[spent(batch) for batch in batches] for _ in range(pairs)]
    return statistics.median(cold / warm for warm, cold in times)


def one_step_errors(task: Task, steps: int) -> Array:
    """Errors of warm and cold after one step from each state along warm rollouts, (2, states)."""
    rows, controls = random_walk_problem(task, steps)
    whole = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    along = Batch(task.model, SIMULATIONS)
    along.state[:] = rows
    # what is recorded holds the solver's warm start, too
    states = along.rollout(steps - 1, controls[:, :-1], record=(whole,))[whole]
    states = states[:, ::STRIDE].reshape(-1, rows.shape[1])
    following = controls[:, 1::STRIDE].reshape(len(states), 1, -1)
    exact = for_rollouts(task.model)
    exact.opt.tolerance, exact.opt.iterations = 0.0, 500
    exact.opt.ls_tolerance, exact.opt.ls_iterations = 1e-6, 200
    reached = []
    for model in (task.model, for_rollouts(task.model), exact):
        batch = Batch(model, len(states))
        batch.state[:] = states
        reached.append(batch.rollout(1, following, record=("qvel",))["qvel"][:, 0])
    errors: Array = np.abs(np.array(reached[:2]) - reached[2]).max(axis=2)
    return errors[:, np.isfinite(errors).all(axis=0)]


if __name__ == "__main__":
    main()
