"""A humanoid robot stands against pushes, or walks 2 m, in emulated real time.

    python -m benchmarks.humanoid_robot stand --seeds 10 --first-seed 400 --push 20
    python -m benchmarks.humanoid_robot walk --seeds 10 --first-seed 400

The planner sees the corners of the soles; the world that it acts on has every contact of the model and a
physics step of 2 ms. Real time is emulated (`benchmarks.emulated_time`): a plan takes as long as its
simulator steps cost at the given rate. A run has fallen where the base tilts by more than 60 degrees or sinks
below 60 % of its height at the start.

`stand` lasts 20 s with a velocity goal of zero. A force of 0.1 s in a random horizontal direction strikes the
pelvis every 3 s, from 1.5 s on. `walk` lasts 15 s: from 1 s on the goal is 0.3 m/s ahead until the base has
come 2 m along the heading that it began with, then zero. Meanwhile yaw rates steer it back to that heading,
as a navigation stack does: a velocity goal says nothing of where a robot looks.
"""

import argparse
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.emulated_time import Run, run
from benchmarks.overrides import add_override_option, column_values, overrides_column
from benchmarks.walkers import PHYSICS_STEP, Pushes, draw_contacts, first_fall, steps_per_plan
from experiments.style import add_caption, new_figure
from polo_ros.agent.world import World
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks import features
from polo_ros.tasks.humanoid_stand_walk import HumanoidStandWalk
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

SECONDS = {"stand": 20.0, "walk": 15.0}
FIRST_PUSH = 1.5  # s
# a robot has fallen where its base is below this share of its height at the start
FALLEN_HEIGHT = 0.6
WALK_FROM, SPEED, DISTANCE = 1.0, 0.3, 2.0  # s, m/s, m
# yaw rate by the error of the heading, in 1/s, and at most, in rad/s
STEERING, FASTEST_TURN = 1.0, 0.5
SETTINGS = ("scenario", "model", "overrides", "push", "steps_per_second", "seed")
RESULTS = (
    "fell_at", "walked_after", "lateral", "farthest", "plans_per_second", "steps_per_plan", "ready_after",
)  # fmt: skip


def main() -> None:
    """Run what is missing, write a row a run, draw the first seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenario", choices=sorted(SECONDS))
    parser.add_argument("--model", default="g1_mj_description", help="robot description or path")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--push", type=float, default=0.0, help="impulse in N·s")
    parser.add_argument("--rate", type=int, default=40_000, help="simulator steps a second")
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/humanoid_robot.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m benchmarks.humanoid_robot", SETTINGS, RESULTS)
    jobs = [
        {
            "scenario": options.scenario,
            "model": options.model,
            "overrides": overrides_column(options.override),
            "push": options.push,
            "steps_per_second": options.rate,
            "seed": seed,
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    picture = options.out.with_name(f"{options.out.stem}_{options.scenario}.png")
    job = functools.partial(run_job, first=options.first_seed, picture=picture)
    with worker_processes(options.processes):
        for row in run_jobs(job, file.missing(jobs)):
            file.add([row], jobs)
            print(*(f"{name}={row[name]}" for name in ("seed", *RESULTS)), flush=True)
    frame = file.frame(jobs)
    stood = frame["fell_at"] == "never"
    print(f"{stood.sum()} of {len(frame)} did not fall")
    if options.scenario == "walk":
        arrived = stood & (frame["walked_after"] != "never")
        print(f"{arrived.sum()} of {len(frame)} came {DISTANCE:.0f} m ahead and did not fall")


def run_job(job: Row, first: int, picture: Path) -> Row:
    """One run as a row; draws it where it is the first one."""
    settings = settings_for(
        "humanoid_stand_walk", None, column_values(job["overrides"]) | {"model_path": job["model"]}
    )
    task = settings.task
    assert isinstance(task, HumanoidStandWalk)
    real = HumanoidStandWalk(
        job["model"], setup=replace(task.setup, timestep=PHYSICS_STEP, simple_contacts=False)
    )
    seed = job["seed"]
    world = World(real, np.random.default_rng(seed))
    pelvis = real.model.body(task.setup.base).id
    pushes = Pushes(pelvis, job["push"], FIRST_PUSH, seed, task.timestep)
    arrived = False

    def before_step(index: int) -> None:
        nonlocal arrived
        time = index * task.timestep
        arrived |= bool(world.data.qpos[0] >= DISTANCE)
        walks = job["scenario"] == "walk" and time > WALK_FROM - 1e-9 and not arrived
        heading = features.heading(real.observe(world.state), task.setup.base)
        turn = np.clip(-STEERING * heading, -FASTEST_TURN, FASTEST_TURN)
        world.set_velocity_goal(np.array([SPEED, 0.0, turn]) if walks else np.zeros(3))
        pushes.apply(world.data, time)

    seconds = SECONDS[job["scenario"]]
    result = run(settings, None, seed, seconds, job["steps_per_second"], world, before_step)
    view = real.observe(result.states, result.ctrl)
    place = features.position(view, task.setup.base)
    fell = first_fall(view, task.setup.base, FALLEN_HEIGHT)
    end = len(place) if fell is None else fell
    there = np.flatnonzero(place[:end, 0] >= DISTANCE)
    if seed == first:
        draw(task, real, result, end, picture)
    last = int(there[0]) if there.size else end - 1
    return {
        **job,
        "fell_at": "never" if fell is None else fell * task.timestep,
        "walked_after": there[0] * task.timestep - WALK_FROM if there.size else "never",
        "lateral": float(place[last, 1]),
        "farthest": float(np.hypot(place[:end, 0], place[:end, 1]).max()),
        "plans_per_second": result.plans / seconds,
        "steps_per_plan": steps_per_plan(settings),
        "ready_after": result.ready_after,
    }


def draw(task: HumanoidStandWalk, real: HumanoidStandWalk, result: Run, end: int, picture: Path) -> None:
    """Draw contacts of the feet, velocity beside what was wanted, and height of the base."""
    view = real.observe(result.states[:end], result.ctrl[:end])
    times = np.arange(end) * task.timestep
    soles = [f"{foot}_sole" for foot in task.setup.feet]
    contacts = features.foot_contacts(view, soles)
    reached = features.heading_velocity(view, task.setup.base)
    wanted = features.velocity_goal(view)
    figure = new_figure(10.0, 6.4)
    panels = figure.subplots(4, 1, sharex=True, height_ratios=[0.8, 1.0, 1.0, 1.0])
    draw_contacts(panels[0], task.timestep, contacts, ("left", "right"), (BLUE, VERMILION))
    panels[0].set(title="Feet on the ground, velocity and height, in emulated real time")
    for place, (axes, name) in enumerate(zip(panels[1:3], ("ahead, m/s", "left, m/s"), strict=True)):
        axes.plot(times, reached[:, place], color=BLUE, lw=1.0, label="base")
        axes.plot(times, wanted[:, place], "--", color=VERMILION, lw=1.4, label="command")
        axes.set(ylabel=name, ylim=(-1.2, 1.2))
        axes.grid(alpha=0.3)
    panels[1].legend(ncols=2, fontsize=8, loc="upper right")
    panels[3].plot(times, features.position(view, task.setup.base)[:, 2], color=GREY, lw=1.2)
    panels[3].set(
        xlabel="time, s", ylabel="height, m", ylim=(0.0, 0.9), xlim=(0.0, len(result.states) * task.timestep)
    )
    panels[3].grid(alpha=0.3)
    add_caption(figure, "One run; it ends where the robot fell.")
    figure.savefig(picture)


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
