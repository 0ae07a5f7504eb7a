"""`make demo`: the nodes of a launch file without `ros2 launch`, a live status, and a picture at the end."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import yaml

from polo_ros.errors import PoloError
from polo_ros.files import config_path
from polo_ros.parameters.settings import settings_for
from polo_ros.parameters.yaml_files import parse_overrides

# how long a node has to end by itself, in s of wall time
STOP_TIMEOUT_S = 10.0
# lets the clock follow a node's namespace
CLOCK_REMAPPING = "/clock:=clock"


def ros_arguments(node: str, params_file: Path, overrides: Mapping[str, object]) -> list[str]:
    """A node's ROS 2 arguments: a parameter file and single parameters on top."""
    arguments = ["--ros-args", "--params-file", str(params_file)]
    for name, value in overrides.items():
        # a name without the node would yield to /**/node in the file; JSON is valid YAML, empty strings too
        arguments += ["-p", f"{node}:{name}:={json.dumps(value)}"]
    return arguments


def namespace_arguments(
    namespace: str, node: str, overrides: Mapping[str, object], overrides_file: Path
) -> list[str]:
    """What puts a node and its clock into a namespace, after `ros_arguments`.

    The parameters on top go into a file, since `-p` knows no node in a namespace.
    """
    content = {f"{namespace}/{node}": {"ros__parameters": dict(overrides)}}
    overrides_file.write_text(yaml.safe_dump(content))
    remapping = ["-r", f"__ns:={namespace}", "-r", CLOCK_REMAPPING]
    return [*remapping, "--params-file", str(overrides_file)]


class Processes:
    """The nodes as child processes with their logs.

    Args:
      logs: folder for one log file a node.
      namespace: of the nodes and of all their topics, the clock included, such as /robot1; empty for none.
    """

    def __init__(self, logs: Path, namespace: str = "") -> None:
        self._logs = logs
        self._namespace = namespace
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, node: str, params_file: Path, overrides: Mapping[str, object]) -> None:
        """Start a node of this package with a parameter file and single parameters on top."""
        command = [sys.executable, "-m", f"polo_ros.nodes.{node}"]
        command += ros_arguments(node, params_file, overrides)
        if self._namespace:
            file = self._logs / f"{node}.yaml"
            command += namespace_arguments(self._namespace, node, overrides, file)
        with self.log(node).open("wb") as log:
            self._running[node] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def log(self, node: str) -> Path:
        """The log file of a node."""
        return self._logs / f"{node}.log"

    def dead(self) -> str | None:
        """The name of a node that has ended, if any."""
        return next((node for node, child in self._running.items() if child.poll() is not None), None)

    def stop(self) -> None:
        """Interrupt all nodes and wait for them; kill the one that does not end."""
        for child in self._running.values():
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for node, child in self._running.items():
            try:
                child.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                print(f"{node} did not end within {STOP_TIMEOUT_S:.0f} s and was killed")
                child.kill()
                child.wait()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(prog="make demo", description=__doc__)
    arguments.add_argument("--task", default="humanoid_getup", help="name of the task")
    arguments.add_argument("--config", type=Path, help="ROS 2 parameter file (default: the task's own)")
    arguments.add_argument("--seed", type=int, default=0, help="of the start state and of everything random")
    arguments.add_argument("--bound", type=float, default=300.0, help="wall time to succeed in, in s")
    arguments.add_argument("--no-learn", action="store_true", help="leave the learner out")
    arguments.add_argument("--no-value", action="store_true", help="plan without value function or learner")
    arguments.add_argument(
        "-p", dest="overrides", action="append", default=[], metavar="NAME:=VALUE",
        help="a parameter in place of the file's, for every node that has it",
    )  # fmt: skip
    arguments.add_argument("--namespace", default="", help="of all nodes and topics, such as /robot1")
    arguments.add_argument("--viewer", action="store_true", help="show the robot in a browser")
    arguments.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for logs and picture")
    return arguments


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 once the task is held for its hold time, 1 otherwise."""
    options = parser().parse_args(arguments)
    if "ROS_AUTOMATIC_DISCOVERY_RANGE" not in os.environ:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"  # a simulated robot stays on this machine
    try:
        return run(options)
    except PoloError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def run(options: argparse.Namespace) -> int:
    """Start the nodes, watch until the end, stop them, draw."""
    # ROS 2 reads its environment on import
    from polo_ros.nodes.status_monitor import StatusMonitor

    params_file = options.config or config_path(options.task)
    given = parse_overrides(options.overrides)
    settings = settings_for(options.task, params_file, given)
    interrupted = False

    def interrupt(_: int, __: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    namespace = options.namespace and f"/{options.namespace.strip('/')}"
    processes = Processes(options.out, namespace)
    monitor = StatusMonitor(settings.task, namespace=namespace)
    overrides: dict[str, object] = {"task": options.task, "seed": options.seed, **given}
    value = {"weights_file": "", "value_weight": 0.0} if options.no_value else {}
    outcome = ""
    began = time.monotonic()
    try:
        processes.start("simulator_node", params_file, overrides)
        processes.start("planner_node", params_file, {**overrides, **value, "autostart": True})
        if not (options.no_learn or options.no_value):
            processes.start("learner_node", params_file, overrides)
        if options.viewer:
            processes.start("viewer_node", params_file, overrides)
            print("watch at http://127.0.0.1:8080/ once the viewer has started")
        while not outcome:
            monitor.spin(0.2)
            monitor.show_status()
            dead = processes.dead()
            if interrupted:
                outcome = "interrupted"
            elif dead:
                tail = processes.log(dead).read_text(errors="replace").strip().splitlines()[-5:]
                outcome = f"{dead} has ended, so everything stops: {' / '.join(tail)}"
            elif monitor.solved_at is not None:
                outcome = "solved"
            elif time.monotonic() - began > options.bound:
                outcome = f"not solved within {options.bound:.0f} s of wall time"
    finally:
        monitor.end_status()
        processes.stop()
        monitor.close()
    wall = time.monotonic() - began
    outcome_file = options.out / "outcome.json"
    outcome_file.write_text(
        json.dumps(
            {
                "task": options.task, "seed": options.seed, "outcome": outcome,
                "solved_at": monitor.solved_at, "sim_time": monitor.sim_time, "wall_time": round(wall, 1),
            }
        )
    )  # fmt: skip
    print(f"{options.task}, seed {options.seed}: {outcome}; {monitor.summary()}, {wall:.0f} s of wall time")
    if monitor.frames:
        picture = options.out / "demo.png"
        print(f"picture ({monitor.draw(picture, options.seed)}): {picture}")
    return 0 if outcome == "solved" else 1


if __name__ == "__main__":
    sys.exit(main())
