"""`make demo`: the nodes of a launch file without `ros2 launch`, a live status, and a picture at the end.

Where the planner has a value function, a second run of the same seed shows what it does without. With the
viewer the demo goes on, episode after episode, until it is interrupted. Several robots have a planner and a
simulator each, and teach one learner.
"""

from polo_ros.nodes.start import EarlyEnd, catch_endings, start_command

if __name__ == "__main__":  # before the imports that take long
    start_command("demo")

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polo_ros.nodes.fleet import Robot, namespace_of, robots
from polo_ros.nodes.processes import INTERRUPTED, Processes

if TYPE_CHECKING:
    from polo_ros.nodes.fleet_monitor import FleetMonitor
    from polo_ros.tasks.task import Task

SOLVED = "solved"
DEFAULT_BOUND_S = 300.0
NO_VALUE = {"weights_file": "", "value_weight": 0.0}
WITHOUT_VALUE = "without_value_function"


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
        "--no-comparison", action="store_true", help="leave out the run without the value function"
    )
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


@dataclass(frozen=True)
class Demo:
    """What the nodes are started with, and how long they act.

    Attributes:
      options: the command line.
      task: judges the states.
      files: parameter files, each over the one before.
      single: parameters on top, the seed included.
      fleet: the robots.
      namespace: of the fleet; empty for none.
      interrupted: the signals that have come to end it.
    """

    options: argparse.Namespace
    task: "Task"
    files: Sequence[Path]
    single: Mapping[str, Any]
    fleet: Sequence[Robot]
    namespace: str
    interrupted: Sequence[int]

    @property
    def watched(self) -> bool:
        """Whether someone watches in a browser, so that it goes on when the task is solved."""
        return self.options.viewer or self.options.port is not None

    @property
    def bound(self) -> float:
        """Wall time of a run, in s."""
        return self.options.bound or (math.inf if self.watched else DEFAULT_BOUND_S)

    def act(self, folder: Path, with_value: bool, until: float = math.inf) -> "Run":
        """Start the nodes, watch until the end, stop them.

        Args:
          folder: for logs.
          with_value: whether to plan with a value function and to start a learner.
          until: simulated time in s at which a run ends that has not solved its task.
        """
        from polo_ros.nodes.fleet_monitor import FleetMonitor

        processes = Processes(folder, self.namespace)
        monitor = FleetMonitor(self.task, self.fleet, self.namespace)
        began, outcome = time.monotonic(), ""
        try:
            self._start_nodes(processes, with_value)
            while not outcome:
                monitor.spin(0.2)
                monitor.enable()
                monitor.show_status()
                monitor.show_viewers()
                outcome = self._why_ended(processes, monitor, time.monotonic() - began, until)
                if self.watched:
                    monitor.begin_episodes()
                    outcome = "" if outcome == SOLVED else outcome
        finally:
            monitor.end_status()
            processes.stop()
            monitor.close()
        return Run(monitor, outcome, time.monotonic() - began)

    def _why_ended(self, processes: Processes, monitor: "FleetMonitor", seconds: float, until: float) -> str:
        """Why a run ends after some wall time in s; empty while it goes on."""
        ended = processes.why_ended(self.interrupted)
        if ended:
            return ended
        if monitor.solved:
            return SOLVED
        if seconds > self.bound:
            return f"not solved within {self.bound:.0f} s of wall time"
        if monitor.sim_time > until:
            return f"not solved within {until:.2f} s of simulated time"
        return ""

    def _start_nodes(self, processes: Processes, with_value: bool) -> None:
        """Start the nodes that the options ask for, of each robot, and one learner."""
        options, value = self.options, {} if with_value else NO_VALUE
        for robot in self.fleet:
            own = {**self.single, "seed": robot.seed(self.single["seed"])}
            processes.start("simulator_node", self.files, own, robot.name)
            own = {"use_sim_time": True, **own}  # as launched
            processes.start("planner_node", self.files, {**own, **value}, robot.name)
            if self.watched:
                port = {} if options.port is None else {"port": options.port + robot.index}
                processes.start("viewer_node", self.files, {**own, **port}, robot.name)
        if with_value and not options.no_learn:
            shared = {"experience_topics": [robot.experience for robot in self.fleet]}
            # several robots have a clock each, and the learner needs none
            clock = {"use_sim_time": False} if len(self.fleet) > 1 else {}
            processes.start("learner_node", self.files, {**self.single, **shared, **clock})


@dataclass(frozen=True)
class Run:
    """A run that has ended: who watched it, why it ended, and its wall time in s."""

    monitor: "FleetMonitor"
    outcome: str
    wall_time: float

    def told(self) -> dict[str, Any]:
        """What `outcome.json` says of it."""
        return {"outcome": self.outcome, **self.monitor.outcome(), "wall_time": round(self.wall_time, 1)}


def run(options: argparse.Namespace, early: EarlyEnd | None) -> int:
    """Run the demo, and where it plans with a value function the same seed without; print, draw.

    Returns:
      0 once the task is held for its hold time, or with the viewer once interrupted, else 1.
    """
    # these imports take seconds, and ROS 2 reads its environment on import
    from polo_ros.files import config_path
    from polo_ros.parameters.settings import settings_for
    from polo_ros.parameters.yaml_files import ParameterFile, parse_overrides

    file = options.config or config_path(options.task)
    given = {} if options.seed is None else {"seed": options.seed}
    single = {"task": options.task, **given, **parse_overrides(options.single)}
    overrides = ParameterFile.parse_overrides(options.overrides) if options.overrides else None
    settings = settings_for(options.task, file, single, [overrides] if overrides else [])
    files = [file] if file else []
    options.out.mkdir(parents=True, exist_ok=True)
    if overrides:
        files.append(overrides.write(options.out / "overrides.yaml"))
    seed = settings.planner_node.seed
    fleet = robots(options.robots)
    demo = Demo(
        options, settings.task, files, {**single, "seed": seed}, fleet, namespace_of(options.namespace),
        catch_endings(early),
    )  # fmt: skip
    first = demo.act(options.out, with_value=not options.no_value)
    print(f"{options.task}, seed {seed}: {summary(first)}")
    runs = [first]
    has_value = bool(settings.planner_node.weights_file) and settings.planner.value_weight > 0.0
    if has_value and first.outcome == SOLVED and not (options.no_value or options.no_comparison):
        print("The same seed without the value function, for as long:")
        runs.append(demo.act(options.out / WITHOUT_VALUE, with_value=False, until=first.monitor.sim_time))
        print(f"{options.task}, seed {seed}, without the value function: {summary(runs[1])}")
    report(demo, runs)
    return 0 if first.outcome == (INTERRUPTED if demo.watched else SOLVED) else 1


def summary(run: Run) -> str:
    """How a run ended."""
    return f"{run.outcome}; {run.monitor.summary()}, {run.wall_time:.0f} s of wall time"


def report(demo: Demo, runs: Sequence[Run]) -> None:
    """Write down what happened, and draw it: the run, and if there is one that without a value function."""
    from polo_ros.viewer.figures import in_words

    options, seed = demo.options, demo.single["seed"]
    found = {"task": options.task, "seed": seed, **runs[0].told()}
    if len(runs) > 1:
        found[WITHOUT_VALUE] = runs[1].told()
    (options.out / "outcome.json").write_text(json.dumps(found))
    if any(run.outcome == INTERRUPTED for run in runs):  # drawing takes seconds
        return
    from polo_ros.errors import PoloError
    from polo_ros.viewer.film_strip import film_strip

    labels = ("",) if len(runs) == 1 else (", with the value function", ", without the value function")
    strips = [
        run.monitor.strips(
            {robot.name: f"{in_words(options.task)}, seed {robot.seed(seed)}{text}" for robot in demo.fleet}
        )
        for run, text in zip(runs, labels, strict=True)
    ]
    for name in strips[0]:
        picture = options.out / name / "demo.png"
        try:
            said = film_strip(demo.task, [each[name] for each in strips if name in each], picture)
        except PoloError as error:
            said = str(error)
        print(f"picture ({said}): {picture}")
