"""Tasks without ROS: `polo train`, `evaluate`, `check` and `new-task`."""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from polo_ros.commands.shared import (
    Commands,
    add_episode_options,
    json_option,
    print_json,
    seeds_of,
    settings_of,
    task_options,
)
from polo_ros.errors import PoloError

# what the tables at the end show of metrics.csv, of its last rows, and of evaluation.csv
TRAINING_TABLE = (
    "steps",
    "transitions",
    "episode",
    "reward",
    "longest_hold",
    "updates",
    "loss",
    "target_mean",
)
LAST_ROWS = 5
EVALUATION_TABLE = ("seed", "solved", "solved_at", "mean_reward", "last_reward", "plan_time_median")


def add(commands: Commands) -> None:
    """Add the commands."""
    training = commands.add_parser(
        "train", parents=[task_options(), json_option()], help="run Algorithm 1 and keep the weights"
    )
    training.add_argument("--steps", type=int, default=12000, help="control periods (default: 12000)")
    training.add_argument("--episode", type=int, default=600, help="control periods between resets")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-SEED)")
    training.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    training.add_argument(
        "--from-bag", type=Path, nargs="+", metavar="BAG", help="learn from what bags hold, without acting"
    )
    training.add_argument("--namespace", default="", help="of the robot in the bags, such as /robot1")
    training.add_argument("--tensorboard", action="store_true", help="write events beside metrics.csv, too")
    training.add_argument(
        "--labels", choices=("in_process", "ray"), help="who makes the labels (default: the parameter file's)"
    )
    training.add_argument("--address", metavar="HOST:PORT", help="of a running Ray cluster, for --labels ray")
    training.set_defaults(run=run_train)

    evaluation = commands.add_parser(
        "evaluate", parents=[task_options(), json_option()], help="act without learning and measure"
    )
    evaluation.add_argument("--weights", help="value function (default: the parameter file's)")
    evaluation.add_argument("--no-value", action="store_true", help="plan without a value function")
    add_episode_options(evaluation, seeds=10, steps=500)
    evaluation.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-evaluation)")
    evaluation.add_argument(
        "--animation", type=Path, metavar="FILE", help="write a moving picture of the first seed (.gif, .png)"
    )
    evaluation.set_defaults(run=run_evaluate)

    checking = commands.add_parser(
        "check",
        parents=[task_options(), json_option()],
        help="print what a task reads, rewards and costs, and what is wrong with it",
    )
    checking.set_defaults(run=run_check)

    creation = commands.add_parser(
        "new-task", parents=[json_option()], help="write a commented task for a model, to start from"
    )
    creation.add_argument("name", help="of the task, such as my_robot_stand; that of its file, too")
    creation.add_argument("--model", required=True, help="MJCF file, or name of a robot description")
    creation.add_argument("--out", type=Path, default=Path(), help="folder (default: the current one)")
    creation.set_defaults(run=run_new_task)


def run_train(options: argparse.Namespace) -> int:
    """Train a value function and print where its weights are."""
    for name, value in (("labels", options.labels), ("labels_address", options.address)):
        if value is not None:
            options.single.append(f"{name}:={value}")
    settings = settings_of(options)
    if options.address and settings.learner.labels != "ray":
        raise PoloError("--address is of a Ray cluster, and no labels are made there; add --labels ray")
    out = options.out or Path("runs") / f"{settings.task.name}-{options.seed}"
    if options.from_bag:
        from polo_ros.recordings.learning import train_from_recordings
        from polo_ros.recordings.recording import read_recording

        bags = enumerate(options.from_bag)
        recordings = [read_recording(bag, settings.task, options.namespace, index) for index, bag in bags]
        weights = train_from_recordings(settings, recordings, options.seed, out, options.tensorboard)
    else:
        from polo_ros.agent.training import train

        weights = train(
            settings, options.steps, options.episode, options.seed, out, options.resume, options.tensorboard
        )
    metrics = out / "metrics.csv"
    with metrics.open(newline="") as file:
        next(file)  # the settings
        rows = list(csv.DictReader(file))
    if options.json:
        numbers = {name: float(cell) if cell else None for name, cell in rows[-1].items()}
        print_json({"task": settings.task.name, "last": numbers, "metrics": metrics, "weights": weights})
    else:
        print_lines(rows[-LAST_ROWS:], TRAINING_TABLE)
        print(f"weights: {weights}")
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """Act on each seed and print how many solved the task."""
    from polo_ros.agent.evaluation import evaluate
    from polo_ros.learner.received_weights import ReceivedWeights

    settings = settings_of(options)
    file = settings.planner_node.weights_file if options.weights is None else options.weights
    received = ReceivedWeights(settings.task, settings.planner.discount)
    value = received.load(file) if file and not options.no_value else None
    if received.warning:
        print(f"polo: {received.warning}", file=sys.stderr)
    seeds = seeds_of(options)
    out = options.out or Path("runs") / f"{settings.task.name}-evaluation"
    rows = evaluate(settings, value, seeds, options.steps, out, options.animation)
    rewards = [float(row["mean_reward"]) for row in rows]
    solved = sum(row["solved"] for row in rows)
    if options.json:
        summary = {"task": settings.task.name, "solved": solved, "mean_reward": sum(rewards) / len(rewards)}
        numbers = [{name: _number(cell) for name, cell in row.items()} for row in rows]
        files = {"animation": options.animation, "file": out / "evaluation.csv"}
        print_json(summary | {"seeds": numbers} | files)
        return 0
    print_lines(rows, EVALUATION_TABLE)
    print(
        f"{settings.task.name}: {solved} of {len(rows)} seeds solved, mean reward "
        f"{sum(rewards) / len(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f})"
    )
    if options.animation:
        print(f"animation: {options.animation}")
    print(f"results: {out / 'evaluation.csv'}")
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Print the report on a task."""
    from polo_ros.agent.task_check import check_content, check_lines

    if options.json:
        print_json(check_content(settings_of(options)))
        return 0
    for line in check_lines(settings_of(options)):
        print(line, flush=True)
    return 0


def print_lines(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Print columns of a result as a table; one that no row has is left out."""
    from polo_ros.agent.tables import table_lines

    names = [name for name in columns if name in rows[0]] if rows else []
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    for line in table_lines(cells, names):
        print(line)


def _number(cell: object) -> object:
    """The number that a cell of a CSV file stands for."""
    return float(cell) if isinstance(cell, str) else cell


def run_new_task(options: argparse.Namespace) -> int:
    """Write a task and its parameter file, and say what comes next."""
    from polo_ros.agent.new_task import write_task

    file = write_task(options.name, options.model, options.out)
    parameters = file.with_suffix(".yaml")
    if options.json:
        print_json({"task": file, "parameters": parameters})
    else:
        print(f"{file}\n{parameters}\nnext: polo check {file}")
    return 0
