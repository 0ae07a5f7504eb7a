"""A cart-pole that is not as its model says: return of planning on one model and on several.

    python -m benchmarks.model_mismatch

Lockstep without ROS 2: the planner's model is the nominal one, the world's has another pole mass (payload),
damping (friction), motor gain, or takes each command one or two control periods late (latency, which the
planner is not told of). Every run swings the pole up from hanging. "one model" plans as usual; "one model, 80
rollouts" costs as much as planning on four models, averaged or by the mean of the two worst. "identified"
plans on one model, whose friction and gain are fitted every 50 periods to the last 200 of the same run.
"""

import argparse
import csv
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pandas as pd

from experiments.style import Style, add_caption, add_legend, new_figure
from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Transition
from polo_ros.control.identification import Identification
from polo_ros.control.state import Snapshot
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.planner.models import ModelErrors, with_errors
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

TASK = "cartpole_swingup"
PLANNING: dict[str, tuple[Style, dict[str, Any]]] = {
    "one model": (Style("one model", GREY, "o"), {}),
    "one model, 80 rollouts": (Style("one model, as costly as four", GREEN, "v"), {"rollouts": 80}),
    "four models, mean": (Style("four models: mean", BLUE, "s"), {"models": 4}),
    "four models, worst half": (
        Style("four models: the worst half", VERMILION, "D"), {"models": 4, "worst_share": 0.5}
    ),
    "identified": (Style("one model, identified", ORANGE, "^"), {}),
}  # fmt: skip
ERRORS: dict[str, tuple[float, ...]] = {
    "payload": (0.0, 0.2, 0.4),
    "friction": (0.4, 0.7, 1.0, 1.2),
    "gain": (0.7, 0.85, 1.0, 1.15, 1.3),
    "latency_ms": (0.0, 20.0, 40.0),
}
NOMINAL = {"payload": 0.0, "friction": 1.0, "gain": 1.0, "latency_ms": 0.0}


@dataclass(frozen=True)
class Row:
    """One run: what is wrong with the model, how it is planned, what was earned, and what a fit took."""

    error: str
    size: float
    planning: str
    seed: int
    steps: int
    mean_reward: float
    upright: int
    fit_s: float


def main() -> None:
    """Run every setting, write a row a run, print means, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--steps", type=int, default=300, help="control periods a run, of 20 ms")
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/model_mismatch.csv"))
    options = parser.parse_args()
    jobs = [
        (error, size, planning, seed)
        for seed in options.seeds
        for (error, size), planning in product(_settings(), PLANNING)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file, ProcessPoolExecutor(options.processes) as pool:
        file.write(f"# python -m benchmarks.model_mismatch {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for index, row in enumerate(pool.map(run, jobs, [options.steps] * len(jobs))):
            writer.writerow(
                {**asdict(row), "mean_reward": f"{row.mean_reward:.4f}", "fit_s": f"{row.fit_s:.4f}"}
            )
            file.flush()
            print(f"{index + 1}/{len(jobs)}: {row}", flush=True)
    print(draw(options.out).to_string(float_format="{:.3f}".format))


def _settings() -> Iterator[tuple[str, float]]:
    """Each error and its sizes; the nominal robot once."""
    yield "payload", 0.0
    for error, sizes in ERRORS.items():
        yield from ((error, size) for size in sizes if size != NOMINAL[error])


def true_model(nominal: mujoco.MjModel, error: str, size: float) -> mujoco.MjModel:
    """The robot's own model."""
    factors = {error: size} if error in ("friction", "gain") else {}
    model = with_errors(nominal, ModelErrors(**factors))
    if error == "payload":
        pole = model.body("pole").id
        model.body_mass[pole] *= 1.0 + size
        model.body_inertia[pole] *= 1.0 + size
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def run(job: tuple[str, float, str, int], steps: int) -> Row:
    """Swing up for some control periods."""
    error, size, planning, seed = job
    settings, truth = settings_for(TASK), settings_for(TASK).task
    task = settings.task
    truth.model = true_model(task.model, error, size)
    world = World(truth, np.random.default_rng(seed))
    config = replace(settings.planner, **PLANNING[planning][1])
    planner = Planner(task, config, seed, threads=1)
    late = round(1e-3 * size / task.timestep) if error == "latency_ms" else 0
    on_their_way = deque([task.neutral] * late)
    states, controls = [], []
    period, fit_times = round(task.timestep * NANOSECONDS), [0.0]
    identification = Identification(task, ("friction", "gain"), period) if planning == "identified" else None
    for index in range(steps):
        states.append(world.state)
        report = planner.plan(world.state, index * task.timestep)
        on_their_way.append(planner.control(report.plan, index * task.timestep))
        controls.append(on_their_way.popleft())
        world.step(controls[-1])
        known = Transition(Snapshot(states[-1], index * period), 0, controls[-1])
        if identification is not None and identification.add([known]):
            planner.use_model(identification.fit(identification.take()))
            fit_times.append(identification.seconds)
    view = task.observe(np.array(states), np.array(controls))
    upright = int((task.measured(view) < 0.2).sum())
    reward = float(task.reward(view).mean())
    return Row(error, size, planning, seed, steps, reward, upright, max(fit_times))


def draw(file: Path) -> pd.DataFrame:
    """Draw beside the CSV file the return against each error; the means."""
    frame = pd.read_csv(file, comment="#")
    nominal = frame[(frame["error"] == "payload") & (frame["size"] == 0.0)]
    others = [nominal.assign(error=error, size=NOMINAL[error]) for error in ERRORS if error != "payload"]
    frame = pd.concat([frame, *others])
    labels = {
        "payload": "mass added to the pole, share",
        "friction": "damping, factor",
        "gain": "gain of the motor, factor",
        "latency_ms": "commands late by, in ms",
    }
    figure = new_figure(11, 3.8)
    for axes, (error, label) in zip(figure.subplots(1, 4, sharey=True), labels.items(), strict=True):
        for planning, (style, _) in PLANNING.items():
            runs = frame[(frame["error"] == error) & (frame["planning"] == planning)]
            axes.plot(runs["size"], runs["mean_reward"], style.marker, color=style.colour, ms=3, alpha=0.3)
            means = runs.groupby("size")["mean_reward"].mean()
            axes.plot(means, f"{style.marker}-", color=style.colour, ms=6, lw=1.5, label=style.label)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("mean reward")
    add_legend(figure, figure.axes[0], "Cart-pole swing-up with a model that is wrong", 5)
    add_caption(figure, f"Lines: means of {frame['seed'].nunique()} seeds. Small markers: each seed.")
    figure.savefig(file.with_suffix(".png"))
    return frame.groupby(["error", "size", "planning"])[["mean_reward", "upright", "fit_s"]].mean()


if __name__ == "__main__":
    main()
