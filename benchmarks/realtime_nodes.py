"""The nodes as child processes of a benchmark."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from polo_ros.nodes.processes import Processes, ros_arguments


class Nodes(Processes):
    """The nodes as child processes, some of them of the benchmarks' own."""

    def start_own(
        self, module: str, arguments: Sequence[str], params_file: Path, overrides: Mapping[str, object]
    ) -> None:
        """Start a planner node from a module of the benchmarks, with arguments of its own."""
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        command += ros_arguments([params_file], overrides)
        with self.log("planner_node").open("wb") as log:
            self._running["planner_node"] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def pid(self, node: str) -> int:
        """The process of a running node."""
        return self._running[node].pid

    def cpu_seconds(self) -> dict[str, float]:
        """The CPU time that each running node has had, in s."""
        return {node: cpu_seconds(child.pid) for node, child in self._running.items()}
