"""Starts nodes as forks of one process that has imported them.

A node needs one to three seconds of CPU time to import ROS 2, MuJoCo and torch, and the tests start more
than a hundred. A forked node is a process of its own like any other: it has its own environment, arguments,
log, signals and exit code. Tests of the command line itself start real commands instead.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from polo_ros.nodes import start

# tests wait for statuses: the nodes publish them, and the viewer looks who listens, this often, in s
STATUS_PERIOD_S = 0.2
# imported by the server before the first fork
MODULES = (
    "polo_ros.nodes.learner_node",
    "polo_ros.nodes.planner_node",
    "polo_ros.nodes.simulator_node",
    "polo_ros.nodes.viewer_node",
    "torch",
)


class Node:
    """A forked node, with the methods of `subprocess.Popen` that the tests use."""

    def __init__(self, server: "NodeServer", pid: int) -> None:
        self.pid = pid
        self._server = server
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the node runs."""
        if self._code is None:
            self._code = self._server.ask(wait=self.pid)
        return self._code

    def wait(self) -> int:
        """Wait for the end; the exit code."""
        while self.poll() is None:
            time.sleep(0.01)
        assert self._code is not None
        return self._code

    def send_signal(self, number: int) -> None:
        """Send a signal unless the node has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the node at once."""
        self.send_signal(signal.SIGKILL)


class NodeServer:
    """The process that forks; it ends with this one, or with `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> Node:
        """Run a node's `main` with its output appended to a log."""
        pid = self.ask(module=module, arguments=arguments, environment=environment, log=str(log))
        return Node(self, pid)

    def ask(self, **request: Any) -> Any:
        """Send a request and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def fork(request: dict[str, Any]) -> int:
    """Fork a node; its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        for stream, source in enumerate((null, log, log)):
            os.dup2(source, stream)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = [request["module"], *request["arguments"]]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        getattr(start, request["module"].rpartition(".")[2])()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def exit_code(pid: int) -> int | None:
    """The exit code of a forked node, or None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def serve() -> None:
    """Answer requests, a JSON line each, until standard input ends."""
    # a terminal's Ctrl-C goes to the whole group: pytest ends this server when it ends itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in MODULES:
        importlib.import_module(module)
    sys.modules["polo_ros.nodes.node"].DIAGNOSTICS_PERIOD_S = STATUS_PERIOD_S
    sys.modules["polo_ros.nodes.viewer_node"].LOOK_PERIOD_S = STATUS_PERIOD_S
    # what the modules may print must not mix with the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answer = exit_code(request["wait"]) if "wait" in request else fork(request)
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
