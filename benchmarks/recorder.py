"""A listener that records a planner's experience."""

import time
from collections.abc import Callable

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Float64MultiArray

from polo_ros.arrays import Array
from polo_ros.nodes.messages import unpack_experience
from polo_ros.tasks.task import Task

EVERYTHING = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
# a run has failed after this long without a transition, in s of wall time
TIMEOUT_S = 120.0


class Recorder:
    """Records the `experience` topic.

    Args:
      task: whose experience it is.

    Attributes:
      planner: the planner's newest diagnostic values by name.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._rows: list[dict[str, Array]] = []
        self.planner: dict[str, str] = {}
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("recorder")
        self._node.create_subscription(Float64MultiArray, "experience", self._on_experience, EVERYTHING)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def wait_for_planner(self, dead: Callable[[], str | None]) -> None:
        """Listen until there is a planner.

        Raises:
          RuntimeError: a node ended, or none came for long.
        """
        began = time.monotonic()
        while not self._node.count_publishers("experience"):
            self._executor.spin_once(timeout_sec=0.1)
            ended = dead()
            if ended or time.monotonic() - began > TIMEOUT_S:
                raise RuntimeError(f"{ended or 'no planner'} ended or did not come")

    def record(self, steps: int, dead: Callable[[], str | None]) -> tuple[Array, Array]:
        """Listen until so many control periods are known: states (steps, state_size), ctrl (steps, nu).

        Args:
          steps: how many.
          dead: names a node that has ended, if any.

        Raises:
          RuntimeError: a node ended, nothing came for long, or the first control periods were missed.
        """
        last, known = time.monotonic(), 0
        while len(self._rows) < steps:
            self._executor.spin_once(timeout_sec=0.5)
            if len(self._rows) > known:
                last, known = time.monotonic(), len(self._rows)
            ended = dead()
            if ended or time.monotonic() - last > TIMEOUT_S:
                raise RuntimeError(f"{ended or 'the experience'} ended after {known} of {steps} steps")
        rows = self._rows[:steps]
        times = np.array([row["time"][0] for row in rows])
        if not np.allclose(times, np.arange(steps) * self._task.timestep):
            raise RuntimeError(f"{steps} consecutive steps from 0 s on were expected, not from {times[0]} s")
        return np.concatenate([row["state"] for row in rows]), np.concatenate([row["ctrl"] for row in rows])

    def _on_experience(self, message: Float64MultiArray) -> None:
        self._rows.append(unpack_experience(message, self._task))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("planner_node"):
                self.planner = {pair.key: pair.value for pair in status.values}

    def close(self) -> None:
        """Leave the graph."""
        self._node.destroy_node()
        rclpy.try_shutdown()
