"""Options and settings that several commands share."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from polo_ros.parameters.settings import Settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def parameter_options() -> argparse.ArgumentParser:
    """Options that set a task's parameters; a parent of the parsers of commands."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    options.add_argument(
        "--overrides", metavar="YAML", help="file or text like '{horizon: 20}' over the parameter file"
    )
    options.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter in place of all others; may be given several times",
    )  # fmt: skip
    return options


def task_options() -> argparse.ArgumentParser:
    """The task and its parameters; a parent of the parsers of commands."""
    options = argparse.ArgumentParser(add_help=False, parents=[parameter_options()])
    options.add_argument("task", help="name of the task, as in `polo tasks`, or path of its Python file")
    return options


def json_option() -> argparse.ArgumentParser:
    """The option that asks for results as JSON; a parent of the parsers of commands."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="print one JSON object, for machines")
    return options


def add_episode_options(parser: argparse.ArgumentParser, seeds: int, steps: int) -> None:
    """Add the options that say which episodes are run; seeds and steps are the defaults."""
    parser.add_argument("--first-seed", type=int, default=0, help="the first of the seeds (default: 0)")
    parser.add_argument("--seeds", type=int, default=seeds, help=f"number of seeds (default: {seeds})")
    parser.add_argument("--steps", type=int, default=steps, help=f"control periods a seed (default: {steps})")


def seeds_of(options: argparse.Namespace) -> range:
    """The seeds that `add_episode_options` asks for."""
    return range(options.first_seed, options.first_seed + options.seeds)


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where jobs run."""
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    parser.add_argument(
        "--backend", default="loky", metavar="loky|ray|dask",
        help="what runs the jobs (default: loky, on this machine)",
    )  # fmt: skip
    parser.add_argument(
        "--address", default="", help="of a running Ray cluster or Dask scheduler (default: this machine)"
    )


def print_json(content: Mapping[str, object]) -> None:
    """Print results for machines: paths as text, and null for what is no finite number."""
    print(json.dumps(_plain(content), indent=2, allow_nan=False))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def settings_of(options: argparse.Namespace) -> "Settings":
    """The settings that the options of a command ask for."""
    from polo_ros.parameters.layers import check_names
    from polo_ros.parameters.settings import AGENT_NODES, settings_for
    from polo_ros.parameters.yaml_files import ParameterFile, parse_overrides
    from polo_ros.tasks import task_class

    single = parse_overrides(options.single)
    check_names("-p", single, task_class(options.task), AGENT_NODES)
    layers = [ParameterFile.parse_overrides(options.overrides)] if options.overrides else []
    return settings_for(options.task, options.config, single, layers)


def run_module(module: str, arguments: list[str], environment: dict[str, str]) -> int:
    """Run a module as a program of its own; its exit code."""
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # a terminal sends Ctrl-C to the child too, which ends and says so
