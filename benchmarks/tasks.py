"""Every task acting over ROS 2 in lockstep, against a robot that does nothing.

    python -m benchmarks.tasks

One row a task, seed and setting: "recommended" is the task's own parameter file over real simulator and
planner nodes, with the learner where the task has no reward of its own; "nothing" leaves the robot with its
neutral control. Rewards are the paper's, with default weights, whatever weights the parameter file plans
with. Rows that the CSV file already has are not run again.
"""

import argparse
import csv
import os
import time
from dataclasses import asdict, fields
from pathlib import Path

import mujoco
import numpy as np
import pandas as pd

from benchmarks.shipped import params_file
from experiments.occupancy import OccupancyGrid
from polo_ros.agent.scores import EpisodeScore, score
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.nodes.processes import Processes
from polo_ros.parameters import markdown
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks import Task, make_task, task_classes
from polo_ros.tasks.state import set_state

COLUMNS = (
    "task", "seed", "setting", "steps", "mean_reward", "first_reward", "last_reward", "coverage", "down",
    *(field.name for field in fields(EpisodeScore)), "diverged_plans", "wall_time",
)  # fmt: skip
# control periods of tasks whose measures need more than 500: 6 s of walking, ten goals of the hand
STEPS = {"humanoid_walk": 750, "humanoid_box": 1000, "hand_cube": 750}
# the share of a run over which the first and the last rewards are averaged
AVERAGED_SHARE = 0.1


def main() -> None:
    """Run what is missing, write it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=sorted(task_classes()))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="control periods a run (default: 500, more where told)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tasks.csv"))
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not options.out.exists():
        header = f"# python -m benchmarks.tasks --seeds {options.seeds}\n"
        options.out.write_text(header + ",".join(COLUMNS) + "\n")
    rows = pd.read_csv(options.out, comment="#")
    done = set(rows[["task", "seed", "setting", "steps"]].itertuples(index=False, name=None))
    for name in options.tasks:
        steps = options.steps or STEPS.get(name, 500)
        for seed in range(options.seeds):
            for setting, run in (("nothing", nothing), ("recommended", recommended)):
                if (name, seed, setting, steps) in done:
                    continue
                began = time.monotonic()
                states, ctrl, diverged = run(name, seed, steps)
                row = judged(name, states, ctrl) | {
                    "task": name, "seed": seed, "setting": setting, "steps": steps,
                    "diverged_plans": diverged, "wall_time": time.monotonic() - began,
                }  # fmt: skip
                text = {
                    key: f"{value:.5g}" if isinstance(value, float) else str(value)
                    for key, value in row.items()
                }
                with options.out.open("a", newline="") as file:
                    csv.DictWriter(file, COLUMNS).writerow(text)
                print(*(f"{key}={text[key]}" for key in COLUMNS if text[key] != ""), flush=True)
    print("\n".join(table(pd.read_csv(options.out, comment="#"))))


def judged(name: str, states: Array, ctrl: Array) -> dict[str, object]:
    """The row of a run: states (n, state_size) and controls (n, nu)."""
    task = make_task(name)  # with the paper's weights
    rewards = task.reward(task.observe(states, ctrl))
    few = max(round(AVERAGED_SHARE * len(rewards)), 1)
    return {
        "mean_reward": float(rewards.mean()),
        "first_reward": float(rewards[:few].mean()),
        "last_reward": float(rewards[-few:].mean()),
        "coverage": "" if task.terms else covered(task, states),
        "down": down(task, states),
        **asdict(score(task, states)),
    }


def down(task: Task, states: Array) -> float | str:
    """The share of control periods in which a robot with feet touches the floor with anything else."""
    model, data = task.model, mujoco.MjData(task.model)
    names = [model.geom(index).name for index in range(model.ngeom)]
    feet = {index for index, name in enumerate(names) if "foot" in name}
    if not feet:
        return ""
    floor, objects = names.index("floor"), {index for index, name in enumerate(names) if name == "box"}
    fallen = 0
    for state in states:
        set_state(model, data, state)
        mujoco.mj_forward(model, data)
        pairs = (set(contact.geom.tolist()) for contact in data.contact[: data.ncon])
        fallen += any(floor in pair and not pair & (feet | objects) for pair in pairs)
    return fallen / len(states)


def covered(task: Task, states: Array) -> float:
    """The share of a reward-free world's free cells that were visited."""
    positions = task.observe(states).sensor(task.trace_sensor)[:, :2]
    grid = OccupancyGrid(task.model, positions[0])
    grid.visit(positions)
    return grid.coverage


def nothing(name: str, seed: int, steps: int) -> tuple[Array, Array, int]:
    """The neutral control throughout: states, controls and no diverged plans."""
    task = settings_for(name).task
    world = World(task, np.random.default_rng(seed))
    states = []
    for _ in range(steps):
        states.append(world.state)
        world.step(task.neutral)
    return np.array(states), np.tile(task.neutral, (steps, 1)), 0


def recommended(name: str, seed: int, steps: int) -> tuple[Array, Array, int]:
    """Planner and simulator nodes over ROS 2: states, controls and the number of diverged plans."""
    from benchmarks.recorder import Recorder  # ROS 2 reads its environment on import

    task = settings_for(name).task
    file = params_file(name)
    processes = Processes(Path("runs/tasks") / f"{name}-{seed}")
    recorder = Recorder(task)
    try:
        processes.start("planner_node", [file], {"task": name, "seed": seed, "autostart": True})
        if not task.terms:
            processes.start("learner_node", [file], {"task": name, "seed": seed})
        recorder.wait_for_planner(processes.dead)
        # last, so that nothing is missed
        processes.start("simulator_node", [file], {"task": name, "seed": seed})
        states, ctrl = recorder.record(steps, processes.dead)
    finally:
        processes.stop()
        recorder.close()
    return states, ctrl, int(recorder.planner.get("diverged_plans", "0"))


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown: mean and range over the seeds of each task and setting."""
    head = ("task", "setting", "seeds", "steps", "mean reward", "measure at the end", "goals reached")
    lines = []
    for (task, setting, steps), runs in frame.groupby(["task", "setting", "steps"]):
        measure, goals = task_classes()[task].measure, runs["goals"].sum()
        column, what = "measure_last", f"{measure.name} ({measure.unit})"
        if runs["coverage"].notna().all():
            column = what = "coverage"
        reached = f"{runs['goals_reached'].sum()} of {goals}" if goals else ""
        rewards, last = spread(runs["mean_reward"]), spread(runs[column])
        lines.append((task, setting, len(runs), steps, rewards, f"{what} {last}", reached))
    return markdown.table(head, lines)


def spread(values: "pd.Series[float]") -> str:
    """Mean and range."""
    return f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"


if __name__ == "__main__":
    main()
