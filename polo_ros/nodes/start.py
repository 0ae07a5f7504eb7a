"""Starts a process of a node or the demo: ready for signals before anything that takes long to import.

Python's own handlers would print a traceback. A signal before the node is made ends the process at once:
there is nothing to save yet.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.signals import ENDINGS, collect_endings

POLL_S = 0.05


class EarlyEnd:
    """Ends the process at a signal until it is closed.

    The signals are blocked and a thread waits for them: what imports start, such as the program by which glfw
    looks for its library, inherits the block, and does not print a traceback of its own.

    Args:
      code: to end the process with.
      sentence: printed before, if any.
    """

    def __init__(self, code: int, sentence: str = "") -> None:
        self._code = code
        self._sentence = sentence
        self._waiting = True
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while self._waiting:
            if signal.sigtimedwait(ENDINGS, POLL_S) is not None:
                kill_children()
                os.write(2, self._sentence.encode())
                os._exit(self._code)

    def close(self) -> None:
        """Stop waiting; signals stay blocked until the caller's handlers are ready."""
        self._waiting = False
        self._thread.join()


def kill_children() -> None:
    """Kill the child processes that imports have started and wait for: orphaned, they would print errors."""
    with contextlib.suppress(OSError):  # Linux alone lists them
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children") as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGKILL)


def unblock() -> None:
    """Deliver signals to the handlers, including those that came while they were blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def catch_endings(early: EarlyEnd | None = None) -> list[int]:
    """From now on collect the numbers of the signals that ask for an end, in a list that grows.

    Args:
      early: has waited for them until now.
    """
    came = collect_endings()
    if early is not None:
        early.close()
    unblock()
    return came


def start(module: str, node: str) -> NoReturn:
    """Import a node's module, spin the node, and end the process with its code."""
    early = EarlyEnd(code=0)
    run_node: Callable[[object], int] = importlib.import_module("polo_ros.nodes.run").run_node
    make = getattr(importlib.import_module(module), node)
    early.close()
    code = run_node(make)
    # skips Python's shutdown, which waits for PyTorch and for threads that have nothing to save
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start_command(name: str) -> NoReturn:
    """Run `polo_ros.nodes.<name>`, such as the demo, and end the process with its code."""
    early = EarlyEnd(code=1, sentence=f"{name}: interrupted\n")
    sys.exit(run_command(name, None, early))


def run_command(name: str, arguments: list[str] | None = None, early: EarlyEnd | None = None) -> int:
    """Run a module's `run` with the options of its `parser`, on this machine alone unless they have `--open`.

    Args:
      name: of the module in `polo_ros.nodes`.
      arguments: of the command line; None for those of this process.
      early: handles signals until there are nodes to stop.

    Returns:
      The exit code; 1 after bad input, which is one sentence on standard error.
    """
    module = importlib.import_module(f"polo_ros.nodes.{name}")
    options = module.parser().parse_args(arguments)
    if not options.open:
        importlib.import_module("polo_ros.nodes.locality").stay_local()
    try:
        code: int = module.run(options, early)
    except PoloError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return code


def planner_node() -> NoReturn:
    """The executable planner_node."""
    start("polo_ros.nodes.planner_node", "PlannerNode")


def learner_node() -> NoReturn:
    """The executable learner_node."""
    start("polo_ros.nodes.learner_node", "LearnerNode")


def simulator_node() -> NoReturn:
    """The executable simulator_node: a simulated robot stays on this machine unless told otherwise."""
    importlib.import_module("polo_ros.nodes.locality").stay_local()
    start("polo_ros.nodes.simulator_node", "SimulatorNode")


def viewer_node() -> NoReturn:
    """The executable viewer_node; its page is an extra."""
    try:
        require("viewer", "the viewer", "viser", "mjviser")
    except PoloError as error:
        sys.exit(f"[FATAL] {error}")
    start("polo_ros.nodes.viewer_node", "ViewerNode")
