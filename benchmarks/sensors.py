"""Sensors at their own rates: how well the base is predicted, and what the return is.

    python -m benchmarks.sensors

Real-time control is emulated without ROS 2, so that a run repeats to the bit. The robot is simulated with a
physics step of 1 ms; its velocity goal, where the task has one, is --velocity throughout. Joint states come
at 500 Hz, an imu at 200 Hz, both without delay, odometry at 50 Hz and 20 ms late. At every control period a
plan is made from what has arrived, predicted to the next period, and acts from there on. The prediction is
compared with the robot's true base at the moment that it is for.

"ideal" is the true state of every control period. "newest of each" takes the newest sample of each part with
the stamp of the oldest; "one moment" combines them at odometry's moment; "imu" (`use_imu`) does so, too, and
replaces the base's rotation and the joints by the newest of imu and joint states on the way; "imu, no
velocities" gets no joint velocities. Robots: as the model; a quarter heavier; pushed sideways each second.
"""

import argparse
import functools
import shlex
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.simulated_sensors import MILLISECOND, SimulatedSensors
from experiments.style import Style, add_caption, add_legend, new_figure
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Command
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.safety import SafetyGate
from polo_ros.control.state import Snapshot
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.sweeps.jobs import run_jobs, worker_processes
from polo_ros.sweeps.results_file import ResultsFile, Row
from polo_ros.viewer.figures import BLUE, GREEN, GREY, ORANGE, VERMILION

SENSING = {
    "ideal": Style("ideal: the true state", GREY, "o"),
    "newest of each": Style("newest of each part", VERMILION, "s"),
    "one moment": Style("one moment", ORANGE, "D"),
    "imu": Style("one moment, then imu and joints", BLUE, "^"),
    "imu, no velocities": Style("the same, joint velocities differentiated", GREEN, "v"),
}
ROBOTS = ("as the model", "heavier", "pushed")


SETTINGS = ("task", "robot", "sensing", "seed", "steps")
# root mean squares over the plans of a run; those that end in "_without" are of predictions from the same
# states that do not use what imu and joints have measured since
ERRORS = ("position_mm", "rotation_deg", "velocity_m_s", "angular_velocity_rad_s")
RESULTS = ("achieved", "mean_reward", *ERRORS, *(f"{name}_without" for name in ERRORS))


def main() -> None:
    """Run what is missing, write a row a run, print means, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--config", default="humanoid_getup_realtime.yaml", help="of the package")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--steps", type=int, default=250, help="control periods a run")
    parser.add_argument("--sensing", nargs="+", choices=list(SENSING), default=list(SENSING))
    parser.add_argument("--robots", nargs="+", choices=ROBOTS, default=list(ROBOTS))
    parser.add_argument(
        "--velocity", type=float, nargs=3, default=[0.0, 0.0, 0.0], metavar=("AHEAD", "LEFT", "YAW"),
        help="goal of a task that has a velocity goal, in m/s and rad/s",
    )  # fmt: skip
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sensors.csv"))
    options = parser.parse_args()
    jobs: list[Row] = [
        {"task": options.task, "robot": robot, "sensing": sensing, "seed": seed, "steps": options.steps}
        for seed, robot, sensing in product(options.seeds, options.robots, options.sensing)
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    header = f"# python -m benchmarks.sensors {shlex.join(sys.argv[1:])}".rstrip()
    file = ResultsFile(options.out, header, SETTINGS, RESULTS)
    one = functools.partial(run, config=options.config, velocity=options.velocity)
    with worker_processes(options.processes):
        for row in run_jobs(one, file.missing(jobs)):
            file.add([row], jobs)
            print(*(f"{name}={value}" for name, value in row.items()), flush=True)
    print(draw(options.out).to_string(float_format="{:.3g}".format))


def run(job: Row, config: str, velocity: Sequence[float]) -> Row:
    """One run of some control periods, as a row."""
    seed, steps = job["seed"], job["steps"]
    settings = settings_for(job["task"], share_path("config", config))
    task = settings.task
    period = round(task.timestep * NANOSECONDS)
    milliseconds = period // MILLISECOND
    planner = Planner(task, settings.planner, seed, threads=1)
    if settings.planner_node.weights_file:
        planner.value = ReceivedWeights(task).load(settings.planner_node.weights_file)
    sensors = SimulatedSensors(task, job["robot"], job["sensing"], seed, velocity)
    gate = SafetyGate(task, JointMapping(task.model), True, SafetyParameters())
    follower = PlanFollower(planner, gate, period)
    controls, predictions = [task.neutral], []
    sensors.step(task.neutral, milliseconds)
    for index in range(1, steps):
        now = index * period
        snapshot, measured = sensors.states.snapshot(), Measured(*sensors.states.newest(), fresh=True)
        acting = follower.schedule.at(now / NANOSECONDS)
        command = follower.command(acting.plan if acting else None, now / NANOSECONDS, measured)
        assert command is not None
        follower.history.add_command(Command(now, command.ctrl, command.planned))
        if snapshot is not None:
            # the plan of one period acts from the next one on
            periods = -((snapshot.stamp - now - period) // period)
            start = snapshot.stamp + periods * period
            predicted = follower.predict(snapshot, periods, measured)
            without = follower.predict(Snapshot(snapshot.state, snapshot.stamp), periods, measured)
            predictions.append((start // MILLISECOND, (predicted, without)))
            report = planner.plan(predicted, start / NANOSECONDS)
            follower.schedule.add(report.plan, snapshot.stamp, now / NANOSECONDS)
        controls.append(command.ctrl)
        sensors.step(command.ctrl, milliseconds)
    visited = np.array(sensors.truth[::milliseconds])
    view = task.observe(visited, np.array(controls))
    known = [each for each in predictions if each[0] < len(sensors.truth)]
    errors = [sensors.rms_errors([(moment, both[index]) for moment, both in known]) for index in (0, 1)]
    return {
        **job,
        "achieved": int(task.achieved(view).sum()),
        "mean_reward": float(task.reward(view).mean()),
        **dict(zip(RESULTS[2:], [*errors[0], *errors[1]], strict=True)),
    }


def draw(file: Path) -> pd.DataFrame:
    """Draw beside the CSV file the errors and the return of each robot and sensing; the means."""
    frame = pd.read_csv(file, comment="#")
    robots = [robot for robot in ROBOTS if robot in set(frame["robot"])]
    columns = {
        "position_mm": "error of position, mm",
        "rotation_deg": "error of rotation, °",
        "velocity_m_s": "error of velocity, m/s",
        "mean_reward": "mean reward",
    }
    figure = new_figure(11, 4.0)
    for axes, (column, label) in zip(figure.subplots(1, len(columns)), columns.items(), strict=True):
        for shift, (sensing, style) in enumerate(SENSING.items()):
            runs = frame[frame["sensing"] == sensing]
            if runs.empty:
                continue
            places = runs["robot"].map(robots.index) + 0.16 * (shift - 2)
            axes.plot(places, runs[column], style.marker, color=style.colour, ms=3, alpha=0.35)
            means = runs[column].groupby(places).mean()
            axes.plot(means, style.marker, color=style.colour, ms=8, label=style.label)
        axes.set_xticks(range(len(robots)), [robot.replace(" the ", " the\n") for robot in robots])
        axes.set_xlim(-0.5, len(robots) - 0.5)
        axes.set_ylim(**{"top" if (frame[column] < 0.0).any() else "bottom": 0})
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    add_legend(
        figure, figure.axes[0], "What the planner knows of the base, by how its sensors are combined", 3
    )
    seeds = frame["seed"].nunique()
    add_caption(
        figure,
        f"Large: mean of at most {seeds} seeds. Small: each. Joints 500 Hz, imu 200 Hz, odometry 50 Hz.",
    )
    figure.savefig(file.with_suffix(".png"))
    return frame.groupby(["robot", "sensing"])[[name for name in RESULTS if name in frame]].mean()


if __name__ == "__main__":
    try:
        main()
    except PoloError as error:
        raise SystemExit(str(error)) from None
