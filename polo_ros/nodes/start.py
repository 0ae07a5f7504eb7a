"""Starts a node's process: ready for signals before anything that takes long to import.

A signal before the node is made ends the process at once: there is nothing to save yet.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

ENDINGS = (signal.SIGINT, signal.SIGTERM)


def start(module: str, node: str) -> NoReturn:
    """Import a node's module, spin the node, and end the process with its code."""
    for ending in ENDINGS:
        signal.signal(ending, end_at_once)
    # whoever starts this process may have blocked them until here
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    run = importlib.import_module("polo_ros.nodes.run")
    code = run.run_node(getattr(importlib.import_module(module), node))
    # without Python's own end, which waits for PyTorch and for threads that have nothing to save
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_at_once(number: int, _: FrameType | None) -> None:
    """The handler of signals until there is a node."""
    os._exit(0)


def demo() -> NoReturn:
    """Run the demo, `python -m polo_ros.nodes.demo`; until it starts nodes, a signal ends it at once."""
    for ending in ENDINGS:
        signal.signal(ending, end_demo_at_once)
    main: Callable[[], int] = importlib.import_module("polo_ros.nodes.demo").main
    sys.exit(main())


def end_demo_at_once(number: int, _: FrameType | None) -> None:
    """The handler of signals until the demo has nodes to stop."""
    os.write(2, b"demo: interrupted\n")
    os._exit(1)


def planner_node() -> NoReturn:
    """The executable planner_node."""
    start("polo_ros.nodes.planner_node", "PlannerNode")


def learner_node() -> NoReturn:
    """The executable learner_node."""
    start("polo_ros.nodes.learner_node", "LearnerNode")


def simulator_node() -> NoReturn:
    """The executable simulator_node: a simulated robot stays on this machine unless told otherwise."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    start("polo_ros.nodes.simulator_node", "SimulatorNode")


def viewer_node() -> NoReturn:
    """The executable viewer_node."""
    start("polo_ros.nodes.viewer_node", "ViewerNode")
