"""What the real-time benchmarks share: nodes, a listener, and runs that begin with a paused world."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger

from benchmarks.cpu import busy_seconds
from benchmarks.realtime_nodes import Nodes
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.simulated_robot import RESET_GAP_S
from polo_ros.errors import PoloError
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.messages import from_stamp, unpack_command
from polo_ros.nodes.processes import Processes
from polo_ros.nodes.robot_operator import Operator
from polo_ros.nodes.status_monitor import StatusMonitor
from polo_ros.tasks.task import Task

# a run has failed after this long without a state, in s of wall time
TIMEOUT_S = 60.0
# how long nodes that the listener knows have to discover each other, in s of wall time
DISCOVERY_WAIT_S = 1.0
# how often messages are taken, in s of wall time, and how many may queue up until then
TAKE_PERIOD_S = 0.05
QUEUE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)


def run_by_clock(
    nodes: Nodes,
    listener: Listener,
    file: Path,
    simulator: Mapping[str, object],
    planner: Mapping[str, object],
    periods: int,
    learner: Mapping[str, object] | None = None,
) -> None:
    """Start simulator and planner, record some control periods from a start state on, and end them.

    Args:
      nodes: none is running.
      listener: records; it has left the graph afterwards.
      file: parameters of all nodes.
      simulator, planner, learner: parameters on top; None starts no learner.
      periods: control periods to record.
    """
    try:
        nodes.start("simulator_node", [file], {"lockstep": False, **simulator})

        def start_others() -> None:
            given = {"lockstep": False, "use_sim_time": True, "autostart": True, **planner}
            nodes.start("planner_node", [file], given)
            if learner is not None:
                nodes.start("learner_node", [file], learner)

        names = {"planner_node"} if learner is None else {"planner_node", "learner_node"}
        listener.run_from_rest(nodes, start_others, names, periods)
    finally:
        nodes.stop()
        listener.close()


@dataclass(frozen=True)
class Timekeeping:
    """How a run kept time, from the planner's diagnostics.

    Attributes:
      plan_rate: plans per second of the node's clock.
      plan_age, plan_age_max: mean and worst time since the state that the followed plan was made from, in
        s; not a number where no plan was followed.
      missed_plans: how often a plan ran out before the next one came.
      deadline_misses: control ticks that came more than half a period late.
      safe_fraction: the share of control ticks with the safe action; not a number in lockstep.
    """

    plan_rate: float
    plan_age: float
    plan_age_max: float
    missed_plans: int
    deadline_misses: int
    safe_fraction: float


class Listener(StatusMonitor):
    """Keeps every state, the control that acted from it, and the planner's diagnostics.

    It runs on the cores that it judges, so messages are taken as bytes, many at a time, and decoded when
    the run is over.

    Args:
      task: whose states they are.
      operate: what a user does, called 20 times a second with the simulated time in s since the run began,
        which is 0 before.

    Attributes:
      acted: (nu,) for each of `frames` but the last: the newest command sent when the next state was.
      reports: (stamp in s, values by name) of the planner's diagnostics.
      nodes_seen: names of the nodes that were on /diagnostics.
      load: of each node while the run was recorded, CPU time by wall time; of "others", what neither nodes
        nor this process had.
      wall_seconds: that the recorded run took.
    """

    def __init__(self, task: Task, operate: Callable[[Operator, float], object] | None = None) -> None:
        self.acted: list[Array] = []
        self.reports: list[tuple[float, dict[str, str]]] = []
        self.nodes_seen: set[str] = set()
        self.load: dict[str, float] = {}
        self.wall_seconds = float("nan")
        self._operate = operate
        self._run_began_at: int | None = None  # number of the first state
        self._ctrl = np.array(task.neutral)
        self._topics: list[tuple[Subscription[Any], type[Any], Callable[[Any], object]]] = []
        self._taken: list[tuple[int, int, bytes]] = []
        self._states_received = 0
        super().__init__(task, numbers=())
        self.subscribe(Float64MultiArray, self._joints.command_topic, self._on_command, QUEUE)
        # services are called through a node of their own, or their executor would take the messages
        self._executor.remove_node(self._node)
        self._caller = LightweightNode("caller", context=self._context)
        self._operator = Operator(self._caller, print)
        self._executor.add_node(self._caller)

    def subscribe(
        self, kind: type[Any], topic: str, callback: Callable[[Any], object], qos: QoSProfile | int
    ) -> None:
        """Keep a topic's messages as bytes; the queue lasts for one `TAKE_PERIOD_S`."""
        subscription = self._node.create_subscription(kind, topic, callback, QUEUE, raw=True)
        self._topics.append((subscription, kind, callback))

    def _take(self) -> None:
        """Take the messages that have arrived."""
        for index, (subscription, kind, _) in enumerate(self._topics):
            with subscription.handle:
                while (taken := subscription.handle.take_message(kind, True)) is not None:
                    message, info = taken
                    self._taken.append((info["source_timestamp"], index, message))
                    self._states_received += kind is JointState

    def _decode(self) -> None:
        """Hand the messages to the callbacks, in the order in which they were sent."""
        for _, index, message in sorted(self._taken):
            _, kind, callback = self._topics[index]
            callback(deserialize_message(message, kind))
        self._taken.clear()

    def _on_command(self, message: Float64MultiArray) -> None:
        self._ctrl = self._joints.ctrl(unpack_command(message)[0])

    def _judge(self) -> None:
        known = len(self.frames)
        super()._judge()
        if 0 < known < len(self.frames):
            self.acted.append(self._ctrl)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        stamp = from_stamp(message.header.stamp) / NANOSECONDS
        for status in message.status:
            self.nodes_seen.add(status.name.split("/")[-1])
            if status.name.endswith("planner_node"):
                self.reports.append((stamp, {pair.key: pair.value for pair in status.values}))

    def call(self, kind: type[Any], service: str, **fields: object) -> None:
        """Call a service of the simulator and wait for its answer.

        Raises:
          RuntimeError: there is none, or it is a refusal.
        """
        client: Any = self._caller.create_client(kind, f"simulator_node/{service}")
        if not client.wait_for_service(timeout_sec=TIMEOUT_S):
            raise RuntimeError(f"no service {service}")
        future = client.call_async(kind.Request(**fields))
        self._executor.spin_until_future_complete(future, timeout_sec=TIMEOUT_S)
        if not future.done() or not future.result().success:
            raise RuntimeError(f"{service} was not answered or refused")

    def wait(self, condition: Callable[[], object], processes: Processes, what: str) -> None:
        """Listen until a condition on the decoded messages holds.

        Raises:
          RuntimeError: a node ended, or no state came for long.
        """

        def decoded() -> object:
            self._decode()
            return condition()

        self._wait(decoded, processes, what)

    def _wait(self, condition: Callable[[], object], processes: Processes, what: str) -> None:
        last, known = time.monotonic(), self._states_received
        while not condition():
            time.sleep(TAKE_PERIOD_S)
            self._take()
            self._act()
            if self._states_received > known:
                last, known = time.monotonic(), self._states_received
            dead = processes.dead()
            if dead or time.monotonic() - last > TIMEOUT_S:
                reason = f"{dead} ended" if dead else f"no state came for {TIMEOUT_S:g} s"
                raise RuntimeError(f"{reason} while waiting for {what}")

    def _act(self) -> None:
        """Do what the user does now."""
        if self._operate is not None:
            began = self._states_received if self._run_began_at is None else self._run_began_at
            self._operate(self._operator, (self._states_received - began) * self._task.timestep)

    def close(self) -> None:
        """Leave the graph."""
        self._caller.destroy_node()
        super().close()

    def run_from_rest(self, nodes: Nodes, planner_and_learner: Any, names: set[str], periods: int) -> None:
        """Pause a new simulator's world until all nodes are there, then record some control periods.

        Discovery takes a part of a second, which has nothing to do with planning: a robot that fell
        meanwhile would start from another state than in lockstep.

        Args:
          nodes: where the simulator runs already.
          planner_and_learner: starts the others.
          names: of the others.
          periods: control periods to record.
        """
        self.wait(lambda: self.frames, nodes, "the first state")
        self.call(SetBool, "set_pause", data=True)
        planner_and_learner()
        self.wait(lambda: names <= self.nodes_seen, nodes, f"{', '.join(sorted(names))}")
        time.sleep(DISCOVERY_WAIT_S)
        start = self._now + round(0.5 * RESET_GAP_S * NANOSECONDS)
        self.call(Trigger, "reset_world")
        self.wait(lambda: self._now > start, nodes, "the reset")
        # what is counted from is reported after the reset, too
        began = self._now / NANOSECONDS
        self.wait(lambda: self.reports and self.reports[-1][0] >= began, nodes, "diagnostics")
        del self.frames[:-1], self.acted[:], self.reports[:-1]
        self.held, self.solved_at, self._held_since = 0.0, None, None
        self._run_began_at = self._states_received
        began, before = time.monotonic(), self._cpu_seconds(nodes)
        self.call(SetBool, "set_pause", data=False)
        wanted = self._states_received + periods
        self._wait(lambda: self._states_received > wanted, nodes, f"{periods} control periods")
        self.wall_seconds = time.monotonic() - began
        used = self._cpu_seconds(nodes)
        self.load = {name: (used[name] - cpu) / self.wall_seconds for name, cpu in before.items()}
        self.wait(lambda: len(self.frames) > periods, nodes, f"{periods} control periods")
        reports = len(self.reports)
        self.wait(lambda: len(self.reports) > reports, nodes, "the last diagnostics")

    def _cpu_seconds(self, nodes: Nodes) -> dict[str, float]:
        """CPU time so far by what `load` names, in s."""
        used = nodes.cpu_seconds()
        return used | {"others": busy_seconds() - sum(used.values()) - time.process_time()}

    def run(self, periods: int) -> tuple[Array, Array]:
        """The first states (periods, state_size) and what acted from each, (periods, nu).

        Raises:
          PoloError: states are missing, since the time of the states jumped by a second or more.
        """
        if len(self.frames) != len(self.acted) + 1:
            raise PoloError(
                "the states' time jumped by a second or more: the world began anew during the run, or the "
                "machine was too busy; run it again on an idle machine"
            )
        states = np.array([state for _, state in self.frames[:periods]])
        return states, np.array(self.acted[:periods])

    def lost(self, periods: int) -> int:
        """How many control periods' states were not received among the first `periods`."""
        times = [time for time, _ in self.frames[: periods + 1]]
        return round((times[-1] - times[0]) / self._task.timestep) - (len(times) - 1)

    def timekeeping(self) -> Timekeeping:
        """How the planner kept time in the run."""
        (began, first), (ended, last) = self.reports[0], self.reports[-1]
        ticks = int(last.get("control_ticks", 0))
        ages = [float(values["plan_age"]) for _, values in self.reports if "plan_age" in values]
        worst = [float(values["plan_age_max"]) for _, values in self.reports if "plan_age_max" in values]
        return Timekeeping(
            plan_rate=(int(last["plans"]) - int(first["plans"])) / max(ended - began, 1e-9),
            plan_age=float(np.mean(ages)) if ages else float("nan"),
            plan_age_max=max(worst, default=float("nan")),
            missed_plans=int(last["missed_plans"]),
            deadline_misses=int(last.get("deadline_misses", 0)),
            safe_fraction=int(last["safe_ticks"]) / ticks if ticks else float("nan"),
        )
