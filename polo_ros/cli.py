"""The command `polo`: everything that needs no ROS.

Each command imports what it needs when it runs: torch and matplotlib take seconds to import.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.errors import PoloError

if TYPE_CHECKING:
    from polo_ros.parameters.settings import Settings
    from polo_ros.recordings.recording import Recording

# the folder that holds `experiments/` where this package lies in its repository
REPOSITORY = Path(__file__).resolve().parents[1]

# what a shell shows of a program that SIGPIPE ended
ENDED_BY_PIPE = 141


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="polo", description="Plan online, learn offline, without ROS.")
    commands = top.add_subparsers(dest="command", required=True)

    listing = commands.add_parser("tasks", help="list the tasks")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--pictures", type=Path, metavar="FOLDER", help="write a picture of each task's start")
    form.add_argument("--markdown", action="store_true", help="print the page docs/tasks.md")
    listing.set_defaults(run=run_tasks)

    parameters = commands.add_parser("parameters", help="print every node's parameters as Markdown")
    parameters.set_defaults(run=run_parameters)

    acting = argparse.ArgumentParser(add_help=False)
    acting.add_argument("task", help="name of the task, as in `polo tasks`, or path of its Python file")
    acting.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    acting.add_argument(
        "--overrides", metavar="YAML", help="file or text like '{horizon: 20}' over the parameter file"
    )
    acting.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter in place of all others; may be given several times",
    )  # fmt: skip

    training = commands.add_parser("train", parents=[acting], help="run Algorithm 1 and keep the weights")
    training.add_argument("--steps", type=int, default=12000, help="control periods (default: 12000)")
    training.add_argument("--episode", type=int, default=600, help="control periods between resets")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-SEED)")
    training.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    training.add_argument(
        "--from-bag", type=Path, nargs="+", metavar="BAG", help="learn from what bags hold, without acting"
    )
    training.add_argument("--namespace", default="", help="of the robot in the bags, such as /robot1")
    training.set_defaults(run=run_train)

    evaluation = commands.add_parser("evaluate", parents=[acting], help="act without learning and measure")
    evaluation.add_argument("--weights", help="value function (default: the parameter file's)")
    evaluation.add_argument("--no-value", action="store_true", help="plan without a value function")
    evaluation.add_argument("--first-seed", type=int, default=0, help="the first of the seeds (default: 0)")
    evaluation.add_argument("--seeds", type=int, default=10, help="number of seeds (default: 10)")
    evaluation.add_argument("--steps", type=int, default=500, help="control periods a seed (default: 500)")
    evaluation.add_argument("--out", type=Path, help="folder for results (default: runs/TASK-evaluation)")
    evaluation.add_argument(
        "--animation", type=Path, metavar="FILE", help="write a moving picture of the first seed (.gif, .png)"
    )
    evaluation.set_defaults(run=run_evaluate)

    checking = commands.add_parser(
        "check",
        parents=[acting],
        help="print what a task reads, rewards and costs, and what is wrong with it",
    )
    checking.set_defaults(run=run_check)

    creation = commands.add_parser("new-task", help="write a commented task for a model, to start from")
    creation.add_argument("name", help="of the task, such as my_robot_stand; that of its file, too")
    creation.add_argument("--model", required=True, help="MJCF file, or name of a robot description")
    creation.add_argument("--out", type=Path, default=Path(), help="folder (default: the current one)")
    creation.set_defaults(run=run_new_task)

    recorded = argparse.ArgumentParser(add_help=False)
    recorded.add_argument("bag", type=Path, help="folder of a bag, or one mcap file")
    recorded.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    recorded.add_argument("--overrides", metavar="YAML", help="file or text over the parameter file")
    recorded.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE", help="a single parameter"
    )
    recorded.add_argument("--namespace", default="", help="of the robot, such as /robot1")
    recorded.add_argument("--task", help="Python file of the task, where it is not among `polo tasks`")

    replaying = commands.add_parser("replay", parents=[recorded], help="show a bag on a page")
    replaying.add_argument("--port", type=int, default=8080, help="first port that is tried (default: 8080)")
    replaying.set_defaults(run=run_replay)

    explaining = commands.add_parser("explain", parents=[recorded], help="why did it do that?")
    explaining.add_argument(
        "--at", type=float, required=True, metavar="SECONDS", help="since the bag's start"
    )
    explaining.add_argument("--seed", type=int, default=0, help="of the candidates (default: 0)")
    explaining.add_argument("--json", action="store_true", help="for machines")
    explaining.set_defaults(run=run_explain)

    exporting = commands.add_parser("export", parents=[recorded], help="write a bag as a table")
    exporting.add_argument("--format", choices=["csv"], default="csv")
    exporting.add_argument("--out", type=Path, help="the file (default: BAG.csv)")
    exporting.set_defaults(run=run_export)

    # its options are those of `python -m polo_ros.nodes.recorder`, which needs ROS 2 and prints their help
    recording = commands.add_parser("record", add_help=False, help="record a run into a bag (needs ROS 2)")
    recording.set_defaults(run=run_record)

    # its options are those of `python -m polo_ros.nodes.doctor`
    doctor = commands.add_parser("doctor", add_help=False, help="measure a running robot's topics (ROS 2)")
    doctor.set_defaults(run=run_doctor)

    # its options are those of `python -m experiments`, which prints their help
    reproduction = commands.add_parser(
        "reproduce", add_help=False, help="reproduce a figure or table of the paper (in the repository)"
    )
    reproduction.set_defaults(run=run_reproduce)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 1 and one sentence on standard error where its input is bad."""
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if rest and options.command not in ("doctor", "record", "reproduce"):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except PoloError as error:
        print(f"polo: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # such as `polo tasks | head`: nobody reads on
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is left in the buffer goes there
        return ENDED_BY_PIPE
    except OSError as error:  # a full disk, or a folder that is a file
        print(f"polo: {error.filename or 'a file'} could not be written ({error.strerror})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polo: interrupted; what was written stays", file=sys.stderr)
        return 130


def run_tasks(options: argparse.Namespace) -> int:
    """List the tasks, draw them, or print their page."""
    if options.markdown:
        from polo_ros.parameters.documentation import tasks_markdown

        print(tasks_markdown(), end="")
        return 0
    from polo_ros.tasks import task_classes

    pictures: dict[str, Path] = {}
    if options.pictures:
        from polo_ros.viewer.task_pictures import write_pictures

        pictures = write_pictures(options.pictures)
    for name, cls in task_classes().items():
        print(f"{name:24}{cls.summary}{f'  {pictures[name]}' if pictures else ''}")
    return 0


def run_parameters(_: argparse.Namespace) -> int:
    """Print the page docs/parameters.md."""
    from polo_ros.parameters.documentation import parameters_markdown

    print(parameters_markdown(), end="")
    return 0


def run_train(options: argparse.Namespace) -> int:
    """Train a value function and print where its weights are."""
    settings = settings_of(options)
    out = options.out or Path("runs") / f"{settings.task.name}-{options.seed}"
    if options.from_bag:
        from polo_ros.recordings.learning import train_from_recordings
        from polo_ros.recordings.recording import read_recording

        bags = enumerate(options.from_bag)
        recordings = [read_recording(bag, settings.task, options.namespace, index) for index, bag in bags]
        print(f"weights: {train_from_recordings(settings, recordings, options.seed, out)}")
        return 0
    from polo_ros.agent.training import train

    weights = train(settings, options.steps, options.episode, options.seed, out, options.resume)
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
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    out = options.out or Path("runs") / f"{settings.task.name}-evaluation"
    rows = evaluate(settings, value, seeds, options.steps, out, options.animation)
    rewards = [float(row["mean_reward"]) for row in rows]
    solved = sum(row["solved"] for row in rows)
    print(
        f"{settings.task.name}: {solved} of {len(rows)} seeds solved, mean reward "
        f"{sum(rewards) / len(rewards):.3f} ({min(rewards):.3f} to {max(rewards):.3f}); {out}"
    )
    return 0


def run_replay(options: argparse.Namespace) -> int:
    """Show a bag on a page until Ctrl-C."""
    from polo_ros.recordings.replay import replay

    settings, recording = read_bag(options)
    replay(settings, recording, options.port)
    return 0


def run_explain(options: argparse.Namespace) -> int:
    """Print why the robot did what it did at one moment."""
    from polo_ros.recordings.explanation import explain, explanation_text

    settings, recording = read_bag(options)
    explanation = explain(settings, recording, options.at, options.seed)
    print(explanation.as_json() if options.json else explanation_text(explanation))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write a bag's transitions as a table."""
    from polo_ros.recordings.export import export_csv

    _, recording = read_bag(options)
    out = options.out or options.bag.with_suffix(".csv")
    print(f"{export_csv(recording, out)} transitions: {out}")
    return 0


def read_bag(options: argparse.Namespace) -> "tuple[Settings, Recording]":
    """The settings and the recording that a command about a bag is given."""
    from polo_ros.recordings.bag import schema_of
    from polo_ros.recordings.recording import read_recording

    options.task = options.task or str(schema_of(options.bag, options.namespace)["task"])
    settings = settings_of(options)
    return settings, read_recording(options.bag, settings.task, options.namespace)


def run_record(options: argparse.Namespace) -> int:
    """Run `python -m polo_ros.nodes.recorder`, since this command itself needs no ROS 2."""
    return run_module("polo_ros.nodes.recorder", options.rest, dict(os.environ))


def run_check(options: argparse.Namespace) -> int:
    """Print the report on a task."""
    from polo_ros.agent.task_check import check_lines

    for line in check_lines(settings_of(options)):
        print(line, flush=True)
    return 0


def run_new_task(options: argparse.Namespace) -> int:
    """Write a task and its parameter file, and say what comes next."""
    from polo_ros.agent.new_task import write_task

    file = write_task(options.name, options.model, options.out)
    print(f"{file}\n{file.with_suffix('.yaml')}\nnext: polo check {file}")
    return 0


def settings_of(options: argparse.Namespace) -> "Settings":
    """The settings that `polo train` and `polo evaluate` are given."""
    from polo_ros.parameters.layers import check_names
    from polo_ros.parameters.settings import AGENT_NODES, settings_for
    from polo_ros.parameters.yaml_files import ParameterFile, parse_overrides
    from polo_ros.tasks import task_class

    single = parse_overrides(options.single)
    check_names("-p", single, task_class(options.task), AGENT_NODES)
    layers = [ParameterFile.parse_overrides(options.overrides)] if options.overrides else []
    return settings_for(options.task, options.config, single, layers)


def run_doctor(options: argparse.Namespace) -> int:
    """Run `python -m polo_ros.nodes.doctor`, which needs ROS 2."""
    if importlib.util.find_spec("rclpy") is None:
        raise PoloError("polo doctor needs ROS 2; source its setup file, or install the extra ros-jazzy")
    return run_module("polo_ros.nodes.doctor", options.rest, dict(os.environ))


def run_reproduce(options: argparse.Namespace) -> int:
    """Run `python -m experiments`, which is not part of this package."""
    if not (REPOSITORY / "experiments").is_dir():
        raise PoloError(
            "polo reproduce needs the folder experiments/ of the repository, which is not installed; "
            "clone the repository and run the command there"
        )
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return run_module("experiments", options.rest, environment)


def run_module(module: str, arguments: list[str], environment: dict[str, str]) -> int:
    """Run a module as a program of its own; its exit code."""
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # a terminal sends Ctrl-C to the child too, which ends and says so
