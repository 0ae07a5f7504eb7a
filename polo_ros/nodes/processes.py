"""Nodes as child processes, for programs that stand in for `ros2 launch`."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from polo_ros.nodes.fleet import WEIGHTS
from polo_ros.nodes.start import unblock
from polo_ros.signals import ENDINGS

# how long a node has to end by itself, in s of wall time
STOP_TIMEOUT_S = 10.0
INTERRUPTED = "interrupted"
# lets the clock follow a node's namespace
CLOCK_REMAPPING = "/clock:=clock"


def ros_arguments(files: Sequence[Path], single: Mapping[str, object]) -> list[str]:
    """A node's ROS 2 arguments: parameter files, each over the one before, and single parameters on top."""
    arguments = ["--ros-args"]
    for file in files:
        arguments += ["--params-file", str(file)]
    for name, value in single.items():
        # JSON is valid YAML; None, which is how YAML reads an empty value, stands for an empty text
        arguments += ["-p", f"{name}:={json.dumps('' if value is None else value)}"]
    return arguments


class Processes:
    """The nodes as child processes with their logs.

    Args:
      logs: folder for one log file a node, or `robot1/<node>.log` for one of a fleet's robots.
      namespace: of the nodes and of all their topics, the clock included, such as /robot1; empty for none.
    """

    def __init__(self, logs: Path, namespace: str = "") -> None:
        self._logs = logs
        self._namespace = namespace
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, node: str, files: Sequence[Path], single: Mapping[str, object], robot: str = "") -> None:
        """Start a node of this package.

        Args:
          node: its name.
          files: with parameters.
          single: parameters on top.
          robot: of a fleet: a namespace below, in which all topics are the robot's but the fleet's weights.
        """
        command = [sys.executable, "-m", f"polo_ros.nodes.{node}", *ros_arguments(files, single)]
        namespace = f"{self._namespace}/{robot}" if robot else self._namespace
        if namespace:
            command += ["-r", f"__ns:={namespace}", "-r", CLOCK_REMAPPING]
        if robot:
            command += ["-r", f"{WEIGHTS}:={self._namespace}/{WEIGHTS}"]
            node = f"{robot}/{node}"
            self.log(node).parent.mkdir(exist_ok=True)
        # the node unblocks them once it can handle them: Python alone would print a traceback
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        try:
            with self.log(node).open("wb") as log:
                self._running[node] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        finally:
            unblock()

    def log(self, node: str) -> Path:
        """The log file of a node."""
        return self._logs / f"{node}.log"

    def dead(self) -> str | None:
        """The name of a node that has ended, if any."""
        return next((node for node, child in self._running.items() if child.poll() is not None), None)

    def end_of_log(self, node: str) -> str:
        """Why a node has ended: the sentence that it logged, or the end of its log."""
        lines = self.log(node).read_text(errors="replace").strip().splitlines()
        return " / ".join([line for line in lines if "[FATAL]" in line][-1:] or lines[-5:])

    def why_ended(self, interrupted: Sequence[int]) -> str:
        """Why all nodes must stop now; empty while they may go on.

        Args:
          interrupted: the signals that have come.
        """
        if interrupted:
            return INTERRUPTED
        dead = self.dead()
        return f"{dead} has ended, so everything stops: {self.end_of_log(dead)}" if dead else ""

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
