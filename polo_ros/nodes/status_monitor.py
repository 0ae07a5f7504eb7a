"""A listener on the graph that judges a robot's progress and sums it up in a line."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

from polo_ros.agent.scores import HoldTimer
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.simulated_robot import RESET_GAP_S
from polo_ros.control.state import StateAssembler
from polo_ros.nodes.executor import spin_for
from polo_ros.nodes.leave import leave_graph
from polo_ros.nodes.lightweight_node import LightweightNode, initialise
from polo_ros.nodes.qos import EVERY_STATE
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.tasks.task import Task

if TYPE_CHECKING:
    from polo_ros.viewer.film_strip import Strip

NUMBERS = ("reward", "value", "plan_time")


class StatusMonitor:
    """Follows the states until the task has been held for its hold time.

    Args:
      task: judges the states.
      numbers: of the planner's that the status shows; the planner computes them for subscribers only.
      namespace: of the robot; empty for none.

    Attributes:
      held: how long the task has been held up to the newest state, in s of simulated time.
      solved_at: when it had been held for its hold time, in s of simulated time; None before.
      frames: (time, state) of the states received.
    """

    def __init__(self, task: Task, numbers: Sequence[str] = NUMBERS, namespace: str = "") -> None:
        self._task = task
        self._joints = JointMapping(task.model)
        self._states = StateAssembler(task, self._joints, lockstep=True)
        self._numbers = dict.fromkeys(NUMBERS, float("nan"))
        self._planner: dict[str, str] = {}
        self._viewer_url = self._viewer_shown = ""
        self._hold = HoldTimer(task)
        self._episodes = 0
        self._now = 0
        self._measured = float("nan")
        self.held = 0.0
        self.solved_at: float | None = None
        self.frames: list[tuple[float, Array]] = []
        self._curves: list[tuple[float, float]] = []  # the newest reward and value at each frame
        # of its own, so that there may be several monitors
        self._context = rclpy.Context()
        initialise([], context=self._context)
        self._node = LightweightNode("monitor", namespace=namespace or None, context=self._context)
        space = self._node.get_namespace()
        self._planner_name, self._viewer_name = (
            f"{space}/{node}".lstrip("/") for node in ("planner_node", "viewer_node")
        )
        receiver = StateReceiver(
            self._joints, self._states, lambda _: self._judge(), partial(print, file=sys.stderr)
        )
        for kind, topic, callback in (*receiver.state_topics(), *receiver.goal_topics(task.goals.kinds)):
            self.subscribe(kind, topic, callback, EVERY_STATE)
        for name in numbers:
            self.subscribe(Float64, f"planner_node/{name}", partial(self._on_number, name), 10)
        self.subscribe(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._reset_world: Any = self._node.create_client(Trigger, "simulator_node/reset_world")
        self._enable: Any = self._node.create_client(SetBool, "planner_node/enable")
        self._enabling: Any = None
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def subscribe(
        self, kind: type[Any], topic: str, callback: Callable[[Any], object], qos: QoSProfile | int
    ) -> None:
        """Receive a topic."""
        self._node.create_subscription(kind, topic, callback, qos)

    @property
    def sim_time(self) -> float:
        """The newest state's time, in s."""
        return self._now / NANOSECONDS

    def spin(self, seconds: float) -> None:
        """Listen for some wall time."""
        spin_for(self._executor, seconds)

    def _on_number(self, name: str, message: Float64) -> None:
        self._numbers[name] = message.data

    def _judge(self) -> None:
        stamp = self._states.stamp
        if stamp is None or (self.frames and stamp <= self._now):
            return
        if stamp - self._now >= RESET_GAP_S * NANOSECONDS and self.solved_at is None:
            self._forget()  # someone has reset the world
        snapshot = self._states.snapshot()
        assert snapshot is not None
        self._now = stamp
        view = self._task.observe(snapshot.state)
        self._measured = float(self._task.measured(view))
        self.frames.append((self._now / NANOSECONDS, snapshot.state))
        self._curves.append((self._numbers["reward"], self._numbers["value"]))
        self.held = self._hold.add(bool(self._task.achieved(view)), self._now / NANOSECONDS)
        self.solved_at = self._hold.solved_at

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._planner_name:
                self._planner = {pair.key: pair.value for pair in status.values}
            if status.name == self._viewer_name and not self._viewer_url:
                self._viewer_url = {pair.key: pair.value for pair in status.values}.get("url", "")

    def status(self) -> str:
        """One line of status."""
        numbers, measure = self._numbers, self._task.measure
        return (
            f"episode {self._planner.get('episode', '-')}  sim {self.sim_time:6.2f} s  "
            f"{measure.name} {self._measured:5.2f} {measure.unit}  "
            f"reward {numbers['reward']:6.3f}  value {numbers['value']:6.1f}  "
            f"plan {1e3 * numbers['plan_time']:5.1f} ms  "
            f"ESS {self._planner.get('effective_sample_size', '-')}  "
            f"weights {self._planner.get('weights_sequence', '-')}  held {self.held:4.2f} s"
        )

    def enable(self) -> None:
        """Enable the planner once states arrive, so that none of a run is missed; call it repeatedly."""
        refused = self._enabling is not None and self._enabling.done() and not self._enabling.result().success
        if self.frames and self._enable.service_is_ready() and (self._enabling is None or refused):
            self._enabling = self._enable.call_async(SetBool.Request(data=True))

    def new_viewer_url(self) -> str:
        """Where to watch the robot; empty where that is unknown or was told before."""
        told, self._viewer_shown = self._viewer_shown, self._viewer_url
        return self._viewer_url if self._viewer_url != told else ""

    def begin_episode(self) -> str:
        """Put the simulated world back to a start state; a sentence about the episode, which was solved."""
        self._episodes += 1
        assert self.solved_at is not None
        took = self.solved_at - self.frames[0][0]
        self._forget()
        self._reset_world.call_async(Trigger.Request())
        return f"episode {self._episodes}: solved after {took:.2f} s of simulated time"

    def _forget(self) -> None:
        """Judge from the next state on."""
        self._hold = HoldTimer(self._task)
        self.held, self.solved_at = 0.0, None
        self.frames, self._curves = [], []

    def summary(self) -> str:
        """How long the run was and how long the task was held at its end."""
        return f"{self.sim_time:.2f} s of simulated time, held for {self.held:.2f} s"

    def strip(self, title: str) -> "Strip":
        """The run, of which states have come, as a film strip shows it."""
        from polo_ros.viewer.film_strip import Strip  # imports half a second of libraries

        times, states = map(np.array, zip(*self.frames, strict=True))
        rewards, values = np.array(self._curves).T
        return Strip(states, times, title, rewards, values)

    def close(self) -> None:
        """Leave the graph."""
        leave_graph(self._node, self._context, code=1)
