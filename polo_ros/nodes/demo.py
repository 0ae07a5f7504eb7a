"""`make demo`: the nodes of a launch file without `ros2 launch`, a live status, and a picture at the end.

With the viewer it goes on, episode after episode, until it is interrupted. Several robots have a planner and
a simulator each, and teach one learner.
"""

from polo_ros.nodes.start import EarlyEnd, catch_endings, start_command

if __name__ == "__main__":  # before the imports that take long
    start_command("demo")

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polo_ros.nodes.fleet import Robot, namespace_of, robots
from polo_ros.nodes.processes import INTERRUPTED, Processes

if TYPE_CHECKING:
    from polo_ros.nodes.fleet_monitor import FleetMonitor

SOLVED = "solved"
DEFAULT_BOUND_S = 300.0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--task", default="humanoid_getup", help="name or Python file of the task")
    arguments.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    arguments.add_argument(
        "--overrides", metavar="YAML", help="file or text like {horizon: 20} over the parameter file"
    )
    arguments.add_argument("--seed", type=int, help="of everything random (default: 0)")
    arguments.add_argument(
        "--bound", type=float, help="wall time to succeed in, in s (default: 300; with --viewer none)"
    )
    arguments.add_argument("--no-learn", action="store_true", help="leave the learner out")
    arguments.add_argument("--no-value", action="store_true", help="plan without value function or learner")
    arguments.add_argument(
        "-p", dest="single", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter in place of the file's, for every node that has it",
    )  # fmt: skip
    arguments.add_argument(
        "--robots",
        type=int,
        default=1,
        help="how many; with several, each is in a namespace: robot1, robot2 …",
    )
    arguments.add_argument("--namespace", default="", help="of all nodes and topics, such as /robot1")
    arguments.add_argument(
        "--viewer", action="store_true", help="show the robot in a browser, and go on until Ctrl-C"
    )
    arguments.add_argument("--port", type=int, help="port of the browser's page (default: 8080)")
    arguments.add_argument("--open", action="store_true", help="let other machines reach the nodes")
    arguments.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for logs and picture")
    return arguments


def run(options: argparse.Namespace, early: EarlyEnd | None) -> int:
    """Start the nodes, watch until the end, stop them, draw.

    Returns:
      0 once the task is held for its hold time, or with the viewer once interrupted, else 1.
    """
    # these imports take seconds, and ROS 2 reads its environment on import
    from polo_ros.files import config_path
    from polo_ros.nodes.fleet_monitor import FleetMonitor
    from polo_ros.parameters.settings import settings_for
    from polo_ros.parameters.yaml_files import ParameterFile, parse_overrides

    file = options.config or config_path(options.task)
    given = {} if options.seed is None else {"seed": options.seed}
    single = {"task": options.task, **given, **parse_overrides(options.single)}
    overrides = ParameterFile.parse_overrides(options.overrides) if options.overrides else None
    settings = settings_for(options.task, file, single, [overrides] if overrides else [])
    namespace = namespace_of(options.namespace)
    processes = Processes(options.out, namespace)
    files = [file] if file else []
    if overrides:
        files.append(overrides.write(options.out / "overrides.yaml"))
    fleet, seed = robots(options.robots), settings.planner_node.seed
    monitor = FleetMonitor(settings.task, fleet, namespace)
    interrupted = catch_endings(early)
    began, outcome = time.monotonic(), ""
    watched = options.viewer or options.port is not None
    bound = options.bound or (math.inf if watched else DEFAULT_BOUND_S)
    try:
        start_nodes(processes, options, files, {**single, "seed": seed}, fleet)
        while not outcome:
            monitor.spin(0.2)
            monitor.show_status()
            monitor.show_viewers()
            outcome = outcome_of(monitor, processes, bound, began, interrupted)
            if watched:
                monitor.begin_episodes()
                outcome = "" if outcome == SOLVED else outcome
    finally:
        monitor.end_status()
        processes.stop()
        monitor.close()
    report(options, seed, fleet, monitor, outcome, time.monotonic() - began)
    return 0 if outcome == (INTERRUPTED if watched else SOLVED) else 1


def start_nodes(
    processes: Processes,
    options: argparse.Namespace,
    files: Sequence[Path],
    single: Mapping[str, Any],
    fleet: Sequence[Robot],
) -> None:
    """Start the nodes that the options ask for, of each robot, and one learner."""
    value = {"weights_file": "", "value_weight": 0.0} if options.no_value else {}
    for robot in fleet:
        own = {**single, "seed": robot.seed(single["seed"])}
        processes.start("simulator_node", files, own, robot.name)
        own = {"use_sim_time": True, **own}  # as launched
        processes.start("planner_node", files, {**own, **value, "autostart": True}, robot.name)
        if options.viewer or options.port is not None:
            port = {} if options.port is None else {"port": options.port + robot.index}
            processes.start("viewer_node", files, {**own, **port}, robot.name)
    if not (options.no_learn or options.no_value):
        shared = {"experience_topics": [robot.experience for robot in fleet]}
        # several robots have a clock each, and the learner needs none
        clock = {"use_sim_time": False} if len(fleet) > 1 else {}
        processes.start("learner_node", files, {**single, **shared, **clock})


def outcome_of(
    monitor: "FleetMonitor", processes: Processes, bound: float, began: float, interrupted: Sequence[int]
) -> str:
    """Why the demo ends now; empty while it goes on."""
    ended = processes.why_ended(interrupted)
    if ended:
        return ended
    if monitor.solved:
        return SOLVED
    if time.monotonic() - began > bound:
        return f"not solved within {bound:.0f} s of wall time"
    return ""


def report(
    options: argparse.Namespace,
    seed: int,
    fleet: Sequence[Robot],
    monitor: "FleetMonitor",
    outcome: str,
    wall: float,
) -> None:
    """Print and write down what happened, and draw it."""
    outcome_file = options.out / "outcome.json"
    outcome_file.write_text(
        json.dumps(
            {
                "task": options.task, "seed": seed, "outcome": outcome, **monitor.outcome(),
                "wall_time": round(wall, 1),
            }
        )
    )  # fmt: skip
    print(f"{options.task}, seed {seed}: {outcome}; {monitor.summary()}, {wall:.0f} s of wall time")
    if outcome != INTERRUPTED:  # drawing takes seconds
        monitor.draw(options.out, [robot.seed(seed) for robot in fleet])
