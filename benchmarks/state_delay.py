"""Odometry that arrives later than the joint states: how long a humanoid stands.

    python -m benchmarks.state_delay

Real-time control is emulated without ROS 2, so that a run repeats to the bit: at every control period the
joint states of that moment and the odometry of some periods before arrive, a plan is made from the state that
the planner's `StateAssembler` makes of them, predicted to the next period, and acts from there on. "mixed" is
how the parts were combined before: the newest of each, with the stamp of the oldest.
"""

import argparse
import csv
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.command_history import Command
from polo_ros.control.command_limits import Measured
from polo_ros.control.config import SafetyParameters
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_follower import PlanFollower
from polo_ros.control.safety import SafetyGate
from polo_ros.control.state import ODOM, Snapshot, StateAssembler
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner

COLUMNS = ("combined", "delay_ms", "seed", "steps", "standing", "mean_reward")
# the plan of one period acts from the next one on
PLANNING_PERIODS = 1


class MixedParts(StateAssembler):
    """The newest sample of each part, taken as a state of the oldest one's moment."""

    def snapshot(self) -> Snapshot | None:
        """Two moments in one state, where the parts' stamps differ."""
        stamp = self.stamp
        if stamp is None:
            return None
        state = self._rest.copy()
        for part in self._parts.values():
            newest = part.samples.newest
            assert newest is not None
            state[part.qpos] = newest.qpos
            state[self._model.nq :][part.qvel] = newest.qvel
        return Snapshot(state, stamp)


COMBINED: dict[str, type[StateAssembler]] = {"mixed": MixedParts, "one moment": StateAssembler}
Job = tuple[str, float, int]


def main() -> None:
    """Run every setting, write a row a run, print means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 8.0, 16.0, 24.0], help="in ms")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--steps", type=int, default=350, help="control periods a run")
    parser.add_argument("--combined", nargs="+", choices=list(COMBINED), default=list(COMBINED))
    parser.add_argument("--processes", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/state_delay.csv"))
    options = parser.parse_args()
    jobs: list[Job] = list(product(options.combined, options.delays, options.seeds))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    standing: dict[tuple[str, float], list[int]] = {}
    with options.out.open("w", newline="") as file, ProcessPoolExecutor(options.processes) as pool:
        file.write(f"# python -m benchmarks.state_delay {' '.join(sys.argv[1:])}".rstrip() + "\n")
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for (combined, delay, seed), result in zip(
            jobs, pool.map(run, jobs, [options.steps] * len(jobs)), strict=True
        ):
            writer.writerow((combined, f"{delay:g}", seed, options.steps, result[0], f"{result[1]:.4f}"))
            file.flush()
            standing.setdefault((combined, delay), []).append(result[0])
    for (combined, delay), counts in standing.items():
        print(
            f"{combined}, {delay:g} ms late: stands {np.mean(counts):.0f} of {options.steps} steps, {counts}"
        )


def run(job: Job, steps: int) -> tuple[int, float]:
    """In how many control periods the humanoid stood, from standing, and its mean reward."""
    combined, delay, seed = job
    settings = settings_for("humanoid_getup", share_path("config", "humanoid_getup_realtime.yaml"))
    task, joints = settings.task, JointMapping(settings.task.model)
    period = round(task.timestep * NANOSECONDS)
    late = round(delay * 1e-3 / task.timestep)
    if abs(late * task.timestep - delay * 1e-3) > 1e-9:
        raise PoloError(f"a delay of {delay} ms is no multiple of the control period of {task.timestep} s")
    world = World(task, np.random.default_rng(seed))
    task.start_from("standing", world.data, world.rng)  # type: ignore[attr-defined]
    planner = Planner(task, settings.planner, seed, threads=1)
    planner.value = ReceivedWeights(task).load(settings.planner_node.weights_file)
    states = COMBINED[combined](task, joints, lockstep=False)
    gate = SafetyGate(task, joints, True, SafetyParameters())
    follower = PlanFollower(planner, gate, period)
    base = joints.base
    assert base is not None
    odometry: list[tuple[Array, Array, int]] = []
    visited, controls = [], []
    for index in range(steps):
        now = index * period
        qpos, qvel = world.data.qpos.copy(), world.data.qvel.copy()
        odometry.append((qpos[base.qpos : base.qpos + 7], qvel[base.qvel : base.qvel + 6], now))
        states.add_joints(qpos[joints.qpos], qvel[joints.qvel], now)
        states.add_odometry(ODOM, *odometry[max(index - late, 0)])
        snapshot, measured = states.snapshot(), Measured(*states.newest(), fresh=True)
        assert snapshot is not None
        acting = follower.schedule.at(now / NANOSECONDS)
        command = follower.command(acting.plan if acting else None, now / NANOSECONDS, measured)
        assert command is not None
        follower.history.add_command(Command(now, command.ctrl, command.planned))
        start = now + PLANNING_PERIODS * period
        predicted = follower.predict(snapshot, (start - snapshot.stamp) // period, measured)
        report = planner.plan(predicted, start / NANOSECONDS)
        follower.schedule.add(report.plan, snapshot.stamp, now / NANOSECONDS)
        visited.append(world.state)
        controls.append(command.ctrl)
        world.step(command.ctrl)
    view = task.observe(np.array(visited), np.array(controls))
    return int(task.achieved(view).sum()), float(task.reward(view).mean())


if __name__ == "__main__":
    main()
