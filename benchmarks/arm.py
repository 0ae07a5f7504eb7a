"""An arm moves its tool to random poses past an obstacle, in emulated real time.

    python -m benchmarks.arm --seeds 20 --first-seed 400
    python -m benchmarks.arm --seeds 20 --first-seed 400 --override setup.reference=false

Each run begins at rest in the home pose with another goal: the tool's pose at random joint positions. It
lasts 10 s. A goal is reached at the time from which on the tool stays within 1 cm and 3 degrees of it until
the end, which must be a second at least; the errors are the largest of that second.

The planner's physics step is as long as its control period; the world that it acts on has one of 2 ms. Real
time is emulated (`benchmarks.emulated_time`): a plan takes as long as its simulator steps cost at the given
rate. What the inverse kinematics and the path take when a goal is new is measured and not emulated: see
`solved_in`, in s of CPU time, by which it would delay the first plan.

Distances from the obstacle are those of the nearest geom that collides, at ten moments in each control
period. Speeds are those of the physics steps at the ends of the periods.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from benchmarks.emulated_time import Run, run
from benchmarks.overrides import add_override_option, column_values, overrides_column
from benchmarks.walkers import PHYSICS_STEP, steps_per_plan
from experiments.style import add_caption, new_figure
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks.arm_model import OBSTACLE
from polo_ros.tasks.arm_reach import ANGLE_TOLERANCE, POSITION_TOLERANCE, ArmReach
from polo_ros.viewer.figures import BLUE, GREY, VERMILION
from polo_ros.viewer.film_strip import Strip, film_strip

# duration of a run, of the rest at its end, and of the part that is drawn, in s
SECONDS, HELD, SHOWN = 10.0, 1.0, 4.0
# moments in each control period at which distances are measured, and the largest distance, in m
MOMENTS, FARTHEST = 10, 1.0
HEADER = (
    "# python -m benchmarks.arm --seeds 20 --first-seed SEED --override OVERRIDES, by the columns seed and "
    "overrides"
)
SETTINGS = ("model", "overrides", "steps_per_second", "seed")
RESULTS = (
    "reached_after", "position_error_mm", "orientation_error_deg", "touched", "least_distance_mm",
    "largest_speed_share", "plans_per_second", "steps_per_plan", "ready_after", "solved_in",
)  # fmt: skip


def main() -> None:
    """Run what is missing, write a row a run, draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="yam_mj_description", help="robot description or path")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--rate", type=int, default=20_000, help="simulator steps a second")
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/arm.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, HEADER, SETTINGS, RESULTS)
    jobs = [
        {
            "model": options.model,
            "overrides": overrides_column(options.override),
            "steps_per_second": options.rate,
            "seed": seed,
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    with worker_processes(options.processes):
        for row in run_jobs(run_job, file.missing(jobs)):
            file.add([row], jobs)
            print(*(f"{name}={row[name]}" for name in ("seed", *RESULTS)), flush=True)
    frame = file.frame(jobs)
    reached, touched = frame["reached_after"] != "never", frame["touched"].astype(str) == "True"
    print(f"{reached.sum()} of {len(frame)} reached the goal, {touched.sum()} touched the obstacle")
    if not options.override:
        everything = file.frame({**job, "overrides": row["overrides"]} for job in jobs for row in file.rows)
        nearest = jobs[int(frame["least_distance_mm"].argmin())]
        draw(everything, nearest, options.out.with_suffix(".png"))


def simulate(job: Row) -> tuple[Settings, ArmReach, Run, float]:
    """A run: its settings, the world's task, what happened, and the CPU time of the first reference, in s."""
    settings = settings_for("arm_reach", None, column_values(job["overrides"]) | {"model_path": job["model"]})
    task = settings.task
    assert isinstance(task, ArmReach)
    real = ArmReach(job["model"], setup=replace(task.setup, timestep=PHYSICS_STEP))
    world = World(real, np.random.default_rng(job["seed"]))
    began = time.process_time()
    if task.has_reference:
        task.reference_controls(world.state[None], np.zeros(1))
    solved = time.process_time() - began
    result = run(settings, None, job["seed"], SECONDS, job["steps_per_second"], world)
    return settings, real, result, solved


def run_job(job: Row) -> Row:
    """One run as a row."""
    settings, real, result, solved = simulate(job)
    period = settings.task.timestep
    view = real.observe(result.states, result.ctrl)
    errors, angles = real.measured(view), real.angle(view)
    outside = np.flatnonzero((errors >= POSITION_TOLERANCE) | (angles >= ANGLE_TOLERANCE))
    since = (int(outside[-1]) + 1 if outside.size else 0) * period
    last = -round(HELD / period)
    nearest = obstacle_distances(real, result.states).min()
    return {
        **job,
        "reached_after": round(since, 6) if since <= SECONDS - HELD else "never",
        "position_error_mm": 1e3 * float(errors[last:].max()),
        "orientation_error_deg": float(np.degrees(angles[last:].max())),
        "touched": bool(nearest <= 0.0),
        "least_distance_mm": 1e3 * float(nearest),
        "largest_speed_share": float(speed_shares(real, result.states).max()),
        "plans_per_second": result.plans / SECONDS,
        "steps_per_plan": steps_per_plan(settings),
        "ready_after": result.ready_after,
        "solved_in": solved,
    }


def draw(frame: pd.DataFrame, job: Row, picture: Path) -> None:
    """Draw errors and times of all runs, and one run: its film strip beside the picture, and its curves.

    Args:
      frame: the rows to compare, with one or several values of `overrides`.
      job: of the run that is drawn.
      picture: the PNG file; `<name>_run.png` is the film strip.
    """
    settings, real, result, _ = simulate(job)
    period = settings.task.timestep
    shown = round(SHOWN / period)
    states, times = result.states[:shown], np.arange(float(shown)) * period
    view = real.observe(states, result.ctrl[:shown])
    title = f"Seed {job['seed']}, the run that came nearest to the obstacle"
    film_strip(real, [Strip(states, times, title)], picture.with_name(f"{picture.stem}_run.png"))
    figure = new_figure(11.0, 6.6)
    panels = figure.subplots(3, 2, width_ratios=[1.1, 1.0])
    columns = ("position_error_mm", "orientation_error_deg", "reached_after")
    names = ("position error, mm", "orientation error, degrees", "time to reach, s")
    limits = (1e3 * POSITION_TOLERANCE, float(np.degrees(ANGLE_TOLERANCE)), SECONDS)
    for axes, column, name, limit in zip(panels[:, 0], columns, names, limits, strict=True):
        for (overrides, rows), colour in zip(frame.groupby("overrides"), (BLUE, VERMILION), strict=False):
            label = "as shipped" if overrides == "none" else str(overrides)
            values = pd.to_numeric(rows[column], errors="coerce").fillna(SECONDS + 0.5)
            axes.plot(rows["seed"], values, "o", ms=5, color=colour, label=label)
        axes.axhline(limit, color=GREY, lw=1.0, ls="--")
        axes.set(ylabel=name, xlabel="seed")
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if column != "reached_after":
            axes.set_yscale("log")
    panels[0, 0].set_title("All runs; dashed: what is allowed")
    panels[2, 0].legend(fontsize=8, loc="center")
    panels[2, 0].set_ylim(0.0, SECONDS + 1.0)
    panels[0, 1].plot(times, 1e3 * real.measured(view), color=BLUE, label="position, mm")
    panels[0, 1].plot(times, np.degrees(real.angle(view)), color=VERMILION, label="orientation, degrees")
    panels[0, 1].set(ylabel="error", yscale="log", title=f"Seed {job['seed']}")
    panels[0, 1].legend(fontsize=8)
    distances = 1e3 * obstacle_distances(real, states)
    panels[1, 1].plot(np.arange(len(distances)) * period / MOMENTS, distances, color=GREY)
    panels[1, 1].set(ylabel="distance from\nthe obstacle, mm")
    panels[1, 1].set_ylim(bottom=0.0)
    joints = [real.model.joint(joint).name for joint in range(real.model.njnt)]
    panels[2, 1].plot(times, speed_shares(real, states), lw=1.0, label=joints)
    panels[2, 1].legend(fontsize=7, ncols=2, loc="center right")
    panels[2, 1].axhline(1.0, color=GREY, lw=1.0, ls="--")
    panels[2, 1].set(ylabel="speeds of the joints,\nshares of their limits", xlabel="time, s")
    for axes in panels[:, 1]:
        axes.grid(alpha=0.3)
    add_caption(
        figure,
        "Errors are the largest of the last second. A run that did not reach its goal is at the top of the "
        "third panel. The run on the right is the one that came nearest to the obstacle.",
    )
    figure.savefig(picture)


def obstacle_distances(task: ArmReach, states: Array) -> Array:
    """The distance in m of the nearest geom of the arm from the obstacle, up to 1 m, (n,).

    Args:
      task: whose model it is.
      states: (states, state_size), one a control period; positions between them are interpolated.
    """
    model, data = task.model, mujoco.MjData(task.model)
    if not task.setup.obstacle:
        return np.full(len(states), FARTHEST)
    obstacle = model.geom(OBSTACLE).id
    collides = (model.geom_contype != 0) | (model.geom_conaffinity != 0)
    moving = model.body_weldid[model.geom_bodyid] != 0
    geoms = np.flatnonzero(collides & moving)
    places = np.arange(0.0, len(states) - 1.0, 1.0 / MOMENTS)
    below, share = places.astype(int), (places % 1.0)[:, None]
    positions = states[:, : model.nq]
    distances = np.empty(len(places))
    for index, qpos in enumerate((1.0 - share) * positions[below] + share * positions[below + 1]):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        distances[index] = min(
            mujoco.mj_geomDistance(model, data, int(geom), obstacle, FARTHEST, None) for geom in geoms
        )
    return distances


def speed_shares(task: ArmReach, states: Array) -> Array:
    """The speeds of the joints as shares of their limits, (states, joints)."""
    model = task.model
    speeds = np.abs(states[:, model.nq : model.nq + model.nv])
    shares: Array = speeds / task.limits
    return shares


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
