"""Odometry whose twist is in another frame than told: how often and how soon it is noticed, and false alarms.

    python -m benchmarks.faults.twist_frame --seeds 0 1 2 3 4 5 6 7 8 9

Robots move for 3 s under random controls, with falls and contacts. Their pose and velocity go through the
planner's own check, in the frame that it was told and in the other one, without noise and with noise on poses
(m, rad) and velocities (m/s, rad/s).
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.faults.rows import RESULTS, Rows
from polo_ros.agent.world import World
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import Sample
from polo_ros.control.twist_frame import OTHER, TwistFrameCheck
from polo_ros.tasks import make_task
from polo_ros.tasks.rotations import rotation_matrix

COLUMNS = ("task", "told", "real", "force", "noise", "seed", "alarm_s")
TASKS = ("humanoid_getup", "humanoid_walk", "humanoid_box", "hand_cube")
# shares of the actuators' ranges
FORCES = (0.1, 0.3, 1.0)
NOISES = (0.0, 0.005)
SECONDS = 3.0
# control periods for which a random control is held
HELD = 10


def verdicts(name: str, told: str, real: str, force: float, noise: float, seed: int) -> Iterator[str]:
    """The verdict after each message of a robot that moves at random, its twist in a real frame."""
    task = make_task(name)
    joints = JointMapping(task.model)
    body = joints.base or joints.objects[0]
    rng = np.random.default_rng(seed)
    world, check, ctrl = World(task, rng), TwistFrameCheck("odom", told), task.neutral
    for index in range(round(SECONDS / task.timestep)):
        if index % HELD == 0:
            ctrl = force * rng.uniform(task.control_low, task.control_high)
        world.step(ctrl)
        qpos = world.data.qpos[body.qpos : body.qpos + 7] + noise * rng.standard_normal(7)
        qpos[3:] /= np.linalg.norm(qpos[3:])
        velocity = world.data.qvel[body.qvel : body.qvel + 6] + noise * rng.standard_normal(6)
        matrix = rotation_matrix(qpos[3:])
        linear, angular = velocity[:3], matrix @ velocity[3:]  # both in the world
        if real == "child":
            linear, angular = matrix.T @ linear, matrix.T @ angular
        # as `unpack_odometry` reads them
        if told == "child":
            linear = matrix @ linear
        else:
            angular = matrix.T @ angular
        stamp = round((index + 1) * task.timestep * NANOSECONDS)
        check.add(Sample(qpos, np.concatenate([linear, angular]), stamp))
        yield check.fault


def first_alarm(name: str, told: str, real: str, force: float, noise: float, seed: int) -> float:
    """When the check speaks of the other frame, in s; NaN where it never does."""
    period = make_task(name).timestep
    found = verdicts(name, told, real, force, noise, seed)
    return next(((index + 1) * period for index, fault in enumerate(found) if fault), float("nan"))


def main() -> int:
    """Run every case that the file does not hold yet and print what they come to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--out", type=Path, default=RESULTS / "twist_frame.csv")
    options = parser.parse_args()
    rows = Rows(options.out, COLUMNS)
    known = {tuple(row[name] for name in COLUMNS[:-1]) for row in rows.known}
    for case in product(TASKS, OTHER, OTHER, FORCES, NOISES, options.seeds):
        if tuple(map(str, case)) not in known:
            rows.append(**dict(zip(COLUMNS, (*case, f"{first_alarm(*case):.3f}"), strict=True)))
    summarise(options.out)
    return 0


def summarise(path: Path) -> None:
    """Print false alarms, and how many wrong frames were noticed and when."""
    rows = Rows(path, COLUMNS).known
    right = [row for row in rows if row["told"] == row["real"]]
    print(f"right frame: {sum(row['alarm_s'] != 'nan' for row in right)} false alarms in {len(right)} runs")
    for key in product(TASKS, map(str, FORCES), map(str, NOISES)):
        wrong = [
            float(row["alarm_s"])
            for row in rows
            if row["told"] != row["real"] and (row["task"], row["force"], row["noise"]) == key
        ]
        seen = [alarm for alarm in wrong if alarm == alarm]
        after = f", after {median(seen):.2f} s (median)" if seen else ""
        print(f"wrong frame, {key[0]}, force {key[1]}, noise {key[2]}: {len(seen)} of {len(wrong)}{after}")


if __name__ == "__main__":
    sys.exit(main())
