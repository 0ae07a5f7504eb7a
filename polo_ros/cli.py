"""The command `polo`: everything that needs no ROS."""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from polo_ros.agent.training import evaluate, train
from polo_ros.errors import PoloError
from polo_ros.learner.weights import load_value
from polo_ros.parameters.documentation import parameters_markdown, tasks_markdown
from polo_ros.parameters.settings import parse_override, settings_for
from polo_ros.tasks import task_classes
from polo_ros.viewer.task_pictures import write_pictures

REPOSITORY = Path(__file__).resolve().parents[1]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="polo", description="Plan online, learn offline, without ROS.")
    commands = top.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("tasks", help="list the tasks")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--pictures", type=Path, metavar="FOLDER", help="write a picture of each task's start")
    form.add_argument("--markdown", action="store_true", help="print all about every task as Markdown")
    commands.add_parser("parameters", help="print every node's parameters as Markdown")

    parameter_option: dict[str, Any] = {
        "dest": "overrides", "action": "append", "default": [], "metavar": "NAME:=VALUE",
        "help": "a parameter in place of the file's, as often as you like",
    }  # fmt: skip
    training = commands.add_parser("train", help="run Algorithm 1 and keep what it learned")
    training.add_argument("task", help="name of the task, as in `polo tasks`")
    training.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    training.add_argument("-p", **parameter_option)
    training.add_argument("--steps", type=int, default=12000, help="control periods to live (default: 12000)")
    training.add_argument("--episode", type=int, default=600, help="control periods between resets")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-SEED)")
    training.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")

    evaluation = commands.add_parser("evaluate", help="act without learning and measure")
    evaluation.add_argument("task", help="name of the task")
    evaluation.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    evaluation.add_argument("-p", **parameter_option)
    evaluation.add_argument("--weights", default=None, help="value function (default: the configuration's)")
    evaluation.add_argument("--no-value", action="store_true", help="plan without a value function")
    evaluation.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0 on")
    evaluation.add_argument("--steps", type=int, default=500, help="control periods a seed")
    evaluation.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-evaluation)")

    reproduction = commands.add_parser(
        "reproduce", help="measure a figure or table of the paper anew", add_help=False
    )
    reproduction.add_argument("arguments", nargs=argparse.REMAINDER, help="of `python -m experiments`")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 and one sentence on standard error where its input is bad."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except PoloError as error:
        print(f"polo: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, or a folder that is none
        print(f"polo: {error.filename or 'a file'} could not be written ({error.strerror})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polo: interrupted; what was written stays", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    """Dispatch a parsed command line."""
    if options.command == "tasks":
        return run_tasks(options)
    if options.command == "parameters":
        print(parameters_markdown(), end="")
        return 0
    if options.command == "reproduce":
        return run_reproduce(options)
    overrides = dict(map(parse_override, options.overrides))
    settings = settings_for(options.task, options.config, overrides)
    if options.command == "train":
        out = options.out or Path("runs") / f"{options.task}-{options.seed}"
        weights = train(settings, options.steps, options.episode, options.seed, out, options.resume)
        print(f"weights: {weights}")
        return 0
    out = options.out or Path("runs") / f"{options.task}-evaluation"
    weights_file = settings.planner_node.weights_file if options.weights is None else options.weights
    value = None
    if weights_file and not options.no_value:
        value, _ = load_value(weights_file, settings.task)
    rows = evaluate(settings, value, range(options.seeds), options.steps, out)
    solved = sum(row["solved"] for row in rows)
    rewards = [float(row["mean_reward"]) for row in rows]
    print(
        f"{options.task}: {solved} of {len(rows)} seeds solved, mean reward "
        f"{sum(rewards) / len(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f}); {out}"
    )
    return 0


def run_tasks(options: argparse.Namespace) -> int:
    """List the tasks, each with its picture's path where pictures are asked for, or print their page."""
    if options.markdown:
        print(tasks_markdown(), end="")
        return 0
    pictures = write_pictures(options.pictures) if options.pictures else {}
    for name, cls in task_classes().items():
        print(f"{name:24}{cls.summary}{f'  {pictures[name]}' if pictures else ''}")
    return 0


def run_reproduce(options: argparse.Namespace) -> int:
    """Run `python -m experiments`, which this package does not import."""
    if not (REPOSITORY / "experiments").is_dir():
        raise PoloError(
            "polo reproduce runs the folder experiments/ of the repository, which is not installed; "
            "clone the repository and run it there"
        )
    command = [sys.executable, "-m", "experiments", *options.arguments]
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.call(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
