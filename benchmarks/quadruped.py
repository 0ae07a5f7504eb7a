"""A quadruped follows velocity commands, and is pushed, in emulated real time.

    python -m benchmarks.quadruped --seeds 10 --first-seed 100

The planner sees feet that touch and a physics step as long as its control period; the world that it acts on
has every contact of the model, elliptic friction cones as the model has them, and a physics step of 2 ms.
Real time is emulated (`benchmarks.emulated_time`): a plan takes as long as its simulator steps cost at the
given rate. A run has fallen where the base tilts by more than 60 degrees or sinks below half its height, and
is judged until then. Errors of the velocity leave nothing out: neither the time after a change nor the sway
within a step. With --push, a force of 0.1 s in a random direction strikes the trunk every 3 s.
"""

import argparse
import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.emulated_time import run
from benchmarks.overrides import add_override_option, column_values, overrides_column
from benchmarks.walkers import (
    PHYSICS_STEP,
    PUSH_EVERY,
    Pushes,
    draw_contacts,
    first_fall,
    steps_per_plan,
)
from experiments.style import add_caption, new_figure
from polo_ros.agent.world import World
from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.tasks import features
from polo_ros.tasks.quadruped_walk import QuadrupedWalk
from polo_ros.viewer.figures import BLUE, GREY, VERMILION

# velocity goals by the time in s from which they hold: ahead and left in m/s, yaw rate in rad/s
COMMANDS = (
    (0.0, (0.0, 0.0, 0.0)),
    (2.0, (0.5, 0.0, 0.0)),
    (6.0, (0.0, 0.3, 0.0)),
    (9.0, (0.0, 0.0, 0.5)),
    (12.0, (-0.5, 0.0, 0.0)),
    (15.0, (0.0, 0.0, -0.5)),
    (18.0, (0.0, 0.0, 0.0)),
)
SECONDS = 20.0
SETTINGS = ("model", "weights_file", "overrides", "push", "steps_per_second", "seed")
RESULTS = (
    "fell_at", "velocity_error", "yaw_rate_error", "alternation", "plans_per_second", "steps_per_plan",
    "ready_after",
)  # fmt: skip
# a robot has fallen where its base is below this share of its height at the start
FALLEN_HEIGHT = 0.5


@dataclass(frozen=True)
class Walk:
    """How a quadruped walked, until it fell if it did.

    Attributes:
      task: planned with.
      contacts: (n, 4), which feet touched the ground.
      reached, wanted: (n, 3), velocity and its goal: ahead and left in m/s, yaw rate in rad/s.
      fell_at: in s; None where it did not.
      velocity_error, yaw_rate_error: means over all control periods, in m/s and rad/s.
      alternation: see `alternation`; of the periods in which the goal is not zero.
    """

    task: QuadrupedWalk
    contacts: Mask
    reached: Array
    wanted: Array
    fell_at: float | None
    velocity_error: float
    yaw_rate_error: float
    alternation: float

    def figures(self) -> Row:
        """The figures by name, as in a row of a CSV file."""
        return {
            "fell_at": "never" if self.fell_at is None else self.fell_at,
            "velocity_error": self.velocity_error,
            "yaw_rate_error": self.yaw_rate_error,
            "alternation": self.alternation,
        }


def main() -> None:
    """Run what is missing, write a row a run, draw the first seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="go2_mj_description", help="robot description or path")
    parser.add_argument("--config", type=Path, help="parameter file (default: the task's)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0, help="tune on others than those that judge")
    parser.add_argument("--push", type=float, default=0.0, help="impulse in N·s")
    parser.add_argument("--rate", type=int, default=40_000, help="simulator steps a second")
    parser.add_argument("--weights", default="none", help="value function")
    add_override_option(parser, "a parameter in place of the file's")
    parser.add_argument("--processes", type=int, default=0, help="runs side by side (default: one per core)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/quadruped.csv"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    file = ResultsFile(options.out, "# python -m benchmarks.quadruped", SETTINGS, RESULTS)
    jobs = [
        {
            "model": options.model,
            "weights_file": options.weights,
            "overrides": overrides_column(options.override),
            "push": options.push,
            "steps_per_second": options.rate,
            "seed": seed,
        }
        for seed in range(options.first_seed, options.first_seed + options.seeds)
    ]
    picture = options.out.with_name(f"{options.out.stem}_{'pushed' if options.push else 'walking'}.png")
    job = functools.partial(run_job, config=options.config, first=options.first_seed, picture=picture)
    with worker_processes(options.processes):
        for row in run_jobs(job, file.missing(jobs)):
            file.add([row], jobs)
            print(*(f"{name}={row[name]}" for name in ("seed", *RESULTS)), flush=True)
    frame = file.frame(jobs)
    fell = frame["fell_at"] != "never"
    print(f"{(~fell).sum()} of {len(frame)} did not fall; mean errors of the others:")
    print(frame[~fell][["velocity_error", "yaw_rate_error", "alternation"]].mean().to_string())


def run_job(job: Row, config: Path | None, first: int, picture: Path) -> Row:
    """One run as a row; draws it where it is the first one."""
    given = column_values(job["overrides"]) | {"model_path": job["model"]}
    settings = settings_for("quadruped_walk", config, given)
    task = settings.task
    assert isinstance(task, QuadrupedWalk)
    value = None if job["weights_file"] == "none" else load_value(job["weights_file"], task)[0]
    real = QuadrupedWalk(
        job["model"], setup=replace(task.setup, timestep=PHYSICS_STEP, simple_contacts=False)
    )
    seed = job["seed"]
    world = World(real, np.random.default_rng(seed))
    trunk = real.model.body(task.setup.base).id
    pushes = Pushes(trunk, job["push"], PUSH_EVERY, seed, task.timestep)

    def before_step(index: int) -> None:
        time = index * task.timestep
        world.set_velocity_goal(goal_at(time))
        pushes.apply(world.data, time)

    result = run(settings, value, seed, SECONDS, job["steps_per_second"], world, before_step)
    walk = judge(task, real, result.states, result.ctrl)
    if seed == first:
        draw(walk, "in emulated real time", picture)
    return {
        **job,
        **walk.figures(),
        "plans_per_second": result.plans / SECONDS,
        "steps_per_plan": steps_per_plan(settings),
        "ready_after": result.ready_after,
    }


def goal_at(time: float) -> Array:
    """The velocity goal (3,) at a time in s, of `COMMANDS`."""
    return np.array([goal for start, goal in COMMANDS if start <= time + 1e-9][-1])


def judge(task: QuadrupedWalk, real: QuadrupedWalk, states: Array, ctrl: Array) -> Walk:
    """How a robot walked.

    Args:
      task: gives the control period.
      real: the robot with all contacts.
      states: (n, state_size), one a control period.
      ctrl: (n, nu), what acted from each on.
    """
    base = real.setup.base
    view = real.observe(states, ctrl)
    wanted, reached = features.velocity_goal(view), features.heading_velocity(view, base)
    fell = first_fall(view, base, FALLEN_HEIGHT)
    end = len(wanted) if fell is None else fell
    error = np.abs(reached - wanted)[:end]
    contacts = features.foot_contacts(view, real.setup.feet)[:end]
    walks = np.abs(wanted[:end]).sum(axis=1) > 0.0
    return Walk(
        task, contacts, reached[:end], wanted[:end],
        fell_at=None if fell is None else fell * task.timestep,
        velocity_error=float(np.hypot(error[:, 0], error[:, 1]).mean()),
        yaw_rate_error=float(error[:, 2].mean()),
        alternation=alternation(contacts[walks]),
    )  # fmt: skip


def alternation(contacts: Mask) -> float:
    """Minus the correlation between the contacts of the two diagonal pairs: 1 for a perfect trot.

    Args:
      contacts: (n, 4), front left, front right, rear left, rear right; 0 where n is 0.
    """
    if not len(contacts):
        return 0.0
    first, second = contacts[:, [0, 3]].mean(axis=1), contacts[:, [1, 2]].mean(axis=1)
    varies = first.std() > 0.0 and second.std() > 0.0
    return -float(np.corrcoef(first, second)[0, 1]) if varies else 0.0


def draw(walk: Walk, how: str, picture: Path) -> None:
    """Draw contacts of the feet over time, and velocities beside what was wanted."""
    task, contacts, reached, wanted = walk.task, walk.contacts, walk.reached, walk.wanted
    times = np.arange(len(contacts)) * task.timestep
    figure = new_figure(10.0, 6.4)
    panels = figure.subplots(4, 1, sharex=True, height_ratios=[1.3, 1.0, 1.0, 1.0])
    draw_contacts(panels[0], task.timestep, contacts, task.setup.feet, (BLUE, VERMILION, VERMILION, BLUE))
    panels[0].set(title=f"Feet on the ground, and velocity, {how}")
    names = ("ahead, m/s", "left, m/s", "yaw rate, rad/s")
    for place, (axes, name) in enumerate(zip(panels[1:], names, strict=True)):
        axes.plot(times, reached[:, place], color=GREY, lw=0.6, label="each control period")
        axes.plot(times, smooth(reached[:, place], task), color=BLUE, lw=1.6, label="mean of a gait cycle")
        axes.plot(times, wanted[:, place], "--", color=VERMILION, lw=1.4, label="command")
        axes.set(ylabel=name, ylim=(-1.2, 1.2))
        axes.grid(alpha=0.3)
    panels[1].legend(ncols=3, fontsize=8, loc="upper right")
    panels[-1].set(xlabel="time, s", xlim=(0.0, SECONDS))
    add_caption(figure, "Blue feet are one diagonal pair, orange feet the other. One run.")
    figure.savefig(picture)


def smooth(values: Array, task: QuadrupedWalk) -> Array:
    """The mean of each gait cycle around a time, (n,)."""
    count = max(round(task.gait.period / task.timestep), 1)
    mean: Array = np.convolve(values, np.full(count, 1.0 / count), "same")
    return mean


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
