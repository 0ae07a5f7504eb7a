"""Time of one plan of every planner, relative to ours and to bare rollouts of its controls, interleaved.

    python -m benchmarks.peers.plan_time

The task is humanoid getup, controlled by our planner. All planners plan from every state in turns, each with
its own warm start; the order rotates by one from state to state. Directly after a plan, the controls of its
rollouts are simulated again without a planner: H steps of the unchanged model by `mujoco.batch.Batch.rollout`
on as many threads. Our plan includes its value function and one more step for the terminal state. Our
rollouts, which pytorch_mppi uses as well, leave out the solver's warm start and islands. Physics count as the
same if one step from the same state differs by at most 1e-9.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import mujoco
import numpy as np

from benchmarks.peers.peer import Peer, Sampler, Size
from benchmarks.peers.plan_time_figure import draw
from benchmarks.peers.problems import humanoid_getup
from benchmarks.peers.roster import PEERS
from benchmarks.planner_overhead import SIZES, WARM_UP, BareRollouts
from polo_ros.arrays import Array
from polo_ros.tasks.state import set_state
from polo_ros.tasks.task import Task

OURS = "polo_ros"
NAMES = (OURS, "judo", "judo, our threads", "pytorch_mppi, knots", "pytorch_mppi, knots, stepwise")
# Check of the physics: number of states from which all planners simulate the same controls, the stride of the
# steps that are compared, and the tolerance
PHYSICS_STATES = 3
PHYSICS_STRIDE = 8
PHYSICS_TOLERANCE = 1e-9
RATIOS = ("over_ours", "over_bare")
COLUMNS = (
    "rollouts", "horizon", "planner", "plan_ms",
    *(f"{ratio}{suffix}" for ratio in RATIOS for suffix in ("", "_low", "_high")),
    "physics_error", "same_physics",
)  # fmt: skip


def measure(
    size: Size, rounds: int, seed: int
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, float]]:
    """Each planner's times (plan, bare rollouts) in s, and its largest physics error (`physics_errors`)."""
    problem = humanoid_getup()
    task = problem.task
    # the same knots for all; the other settings of the sampler have no relevant effect on time
    sampler = Sampler(problem.planner.temperature, problem.planner.noise_sigma, problem.planner.noise_knots)
    peers: dict[str, Peer] = {name: PEERS[name](problem, size, seed, sampler) for name in NAMES}
    bare = BareRollouts(task.model, size.rollouts, size.horizon, size.threads)
    data = mujoco.MjData(task.model)
    task.start(data, np.random.default_rng(seed))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in NAMES}
    errors = dict.fromkeys(NAMES, 0.0)
    for step in range(WARM_UP + rounds):
        state, now = task.state_of(data), float(data.time)
        first = step % len(NAMES)
        for name in NAMES[first:] + NAMES[:first]:
            began = time.perf_counter()
            ctrl = peers[name].plan(state, now)
            spent = time.perf_counter() - began
            alone = bare.run(state, np.ascontiguousarray(peers[name].controls()))
            if step >= WARM_UP:
                times[name].append((spent, alone))
            if name == OURS:
                data.ctrl[:] = ctrl
        if step >= WARM_UP + rounds - PHYSICS_STATES:
            for name, error in physics_errors(task, peers, state).items():
                errors[name] = max(errors[name], error)
        mujoco.mj_step(task.model, data)
    return times, errors


def physics_errors(task: Task, peers: Mapping[str, Peer], state: Array) -> dict[str, float]:
    """The largest difference of each planner's sensors after one step from those of `mj_step`.

    The steps start from states along one of our rollouts. Differences are relative for readings above 1.
    Whole rollouts are not compared, because contacts amplify any difference from step to step.
    """
    controls = np.ascontiguousarray(peers[OURS].controls())
    # a second control, because sensors describe the state before their control
    pairs = [np.repeat(controls[:, step : step + 1], 2, axis=1) for step in range(controls.shape[1])]
    errors = dict.fromkeys(peers, 0.0)
    data = mujoco.MjData(task.model)
    for step, pair in enumerate(pairs):
        if step % PHYSICS_STRIDE == 0:
            truth = np.array([after_one_step(task, state, ctrl) for ctrl in pair[:, 0]])
            scale = np.maximum(np.abs(truth), 1.0)
            for name, peer in peers.items():
                error = np.abs(peer.simulate(state, pair)[:, 1] - truth) / scale
                errors[name] = max(errors[name], float(error.max()))
        set_state(task.model, data, state)
        data.ctrl[:] = pair[0, 0]
        mujoco.mj_step(task.model, data)
        state = task.state_of(data)
    return errors


def after_one_step(task: Task, state: Array, ctrl: Array) -> Array:
    """The sensors after one control period, (nsensordata,), by `mj_step`."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, state)
    data.ctrl[:] = ctrl
    mujoco.mj_step(task.model, data)
    mujoco.mj_forward(task.model, data)
    return np.array(data.sensordata)


def summary(
    size: Size, times: Mapping[str, Sequence[tuple[float, float]]], errors: Mapping[str, float]
) -> list[dict[str, str]]:
    """One row per planner: median time, and median and quartiles of the two ratios."""
    rows = []
    for name in NAMES:
        row = {
            "rollouts": str(size.rollouts),
            "horizon": str(size.horizon),
            "planner": name,
            "plan_ms": f"{1e3 * statistics.median(plan for plan, _ in times[name]):.2f}",
            "physics_error": f"{errors[name]:.1e}",
            "same_physics": str(int(errors[name] <= PHYSICS_TOLERANCE)),
        }
        bases = ([plan for plan, _ in times[OURS]], [alone for _, alone in times[name]])
        for ratio, base in zip(RATIOS, bases, strict=True):
            ratios = [plan / other for (plan, _), other in zip(times[name], base, strict=True)]
            low, median, high = statistics.quantiles(ratios, n=4)
            row |= {ratio: f"{median:.3f}", f"{ratio}_low": f"{low:.3f}", f"{ratio}_high": f"{high:.3f}"}
        rows.append(row)
    return rows


def main() -> None:
    """Measure every size; print, write and draw the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="states to plan from")
    parser.add_argument("--threads", type=int, default=2, help="threads of the rollouts")
    parser.add_argument("--seed", type=int, default=0, help="of start state and sampling")
    parser.add_argument(
        "--sizes", nargs="+", default=[f"{k}x{h}" for k, h in SIZES], help="rollouts x horizon, such as 30x64"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/peers_plan_time.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    command = (
        f"python -m benchmarks.peers.plan_time --rounds {options.rounds} --threads {options.threads} "
        f"--seed {options.seed} --sizes {' '.join(options.sizes)}"
    )
    with options.out.open("w", newline="") as file:
        file.write(f"# {command}\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for text in options.sizes:
            rollouts, horizon = map(int, text.split("x"))
            size = Size(rollouts, horizon, options.threads)
            found = summary(size, *measure(size, options.rounds, options.seed))
            writer.writerows(found)
            file.flush()
            for row in found:
                print(
                    "{rollouts}×{horizon} {planner}: {plan_ms} ms, {over_ours} ({over_ours_low} to "
                    "{over_ours_high}) times ours, {over_bare} ({over_bare_low} to {over_bare_high}) times "
                    "its bare rollouts, physics error {physics_error}".format(**row),
                    flush=True,
                )
    draw(options.out)


if __name__ == "__main__":
    main()
