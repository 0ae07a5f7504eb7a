"""What the viewer shows of a running robot, received while someone watches."""

import math
import time
from collections.abc import Callable, Mapping

import mujoco
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterEvent
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray, UInt8MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.prediction import Predictor
from polo_ros.control.state import GOAL, StateAssembler
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import unpack_bytes, unpack_numbers, unpack_plan, unpack_traces
from polo_ros.nodes.polled import NEWEST, PolledTopic, Unexecuted
from polo_ros.nodes.qos import LATCHED
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.nodes.telemetry import TRACES_PERIOD_S
from polo_ros.nodes.viewer_values import ViewerValues
from polo_ros.tasks.task import Task
from polo_ros.viewer.fields import Value
from polo_ros.viewer.page import TABS, Page
from polo_ros.viewer.plots import SAMPLE_PERIOD_S

GHOST_PERIOD_S = 0.25
MARKERS_PERIOD_S = 0.1
PLOT_PERIOD_S = 0.25
# numbers on /diagnostics that are plotted, by node
REPORTED = {"learner_node": ("loss",), "planner_node": ("latency",)}
MILLISECONDS = 1e3
# a plan of this age has no successor that is on its way, in s; see `SUMMARY_PERIOD_S` of the telemetry
LATE_S = 0.25
# control periods that a plan's end is simulated for at most
LONGEST_GHOST = 300


class ViewerInputs:
    """Subscriptions for one page; they cost this process, and the planner, while they exist.

    Args:
      node: subscribes.
      task: whose states arrive.
      page: shows what arrives.
      on_fault: called with the sentence about a bad message.
      on_event: takes messages of /parameter_events.
      parameters: gives the planner's parameters by name, for the map of its values.
      on_shown: called ten times a second with the state that is shown, and its stamp in ns.
    """

    def __init__(
        self,
        node: Node,
        task: Task,
        page: Page,
        on_fault: Callable[[str], None],
        on_event: Callable[[ParameterEvent], None],
        parameters: Callable[[], Mapping[str, Value]],
        on_shown: Callable[[mujoco.MjData, int], None],
    ) -> None:
        self._node, self._task, self._page, self._on_fault = node, task, page, on_fault
        self._joints = JointMapping(task.model)
        self._predictor = Predictor(task)
        self._values = ViewerValues(task, parameters, page.show_values, on_fault)
        self._on_shown = on_shown
        self.states = StateAssembler(task, self._joints, lockstep=False)
        receiver = StateReceiver(self._joints, self.states, lambda _: None, on_fault)
        group = Unexecuted()
        self._state_topics = [
            (PolledTopic(node, kind, topic, group, raw=kind is Odometry), callback)
            for kind, topic, callback in receiver.state_topics()
        ]
        for kind, topic, callback in receiver.goal_topics(task.goals.kinds):
            qos = LATCHED if topic == GOAL else NEWEST
            self._state_topics.append((PolledTopic(node, kind, topic, group, qos), callback))
        self._traces = PolledTopic(node, MarkerArray, "planner_node/candidate_trajectories", group)
        self._summary = PolledTopic(node, Float64MultiArray, "planner_node/summary", group)
        self._weight_bytes = PolledTopic(node, UInt8MultiArray, "value_function/weights", group, LATCHED)
        self._polled = [topic for topic, _ in self._state_topics]
        self._polled += [self._traces, self._summary, self._weight_bytes]
        self._called = [
            # its age is judged when it comes
            node.create_subscription(JointTrajectory, "planner_node/summary/plan", self._on_plan, NEWEST),
            node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10),
            node.create_subscription(ParameterEvent, "/parameter_events", on_event, 100),
        ]
        self._plan: JointTrajectory | None = None
        self._plan_start = math.nan
        self._sampled = self._plotted = self._traced = self._ghosted = self._marked = 0.0

    def close(self) -> None:
        """End all subscriptions."""
        for topic in self._polled:
            topic.close()
        for subscription in self._called:
            self._node.destroy_subscription(subscription)

    def draw(self) -> None:
        """Take what has arrived and show it."""
        self._take_states()
        snapshot, now = self.states.snapshot(), time.monotonic()
        with self._page.picture():
            if snapshot is not None:
                self._page.view.show(snapshot.state)
            self._draw_plans(now)
            if now - self._sampled >= SAMPLE_PERIOD_S:
                self._sampled = now
                self._sample()
            if now - self._plotted >= PLOT_PERIOD_S:
                self._plotted = now
                self._page.plots.draw()
        if snapshot is not None and now - self._marked >= MARKERS_PERIOD_S:
            self._marked = now
            self._on_shown(self._page.view.data, snapshot.stamp)

    def _take_states(self) -> None:
        for topic, callback in self._state_topics:
            message = topic.take()
            if message is not None:
                callback(message)

    def _draw_plans(self, now: float) -> None:
        """The newest rollouts, and where the newest plan ends, in different pictures."""
        try:
            if now - self._traced >= TRACES_PERIOD_S:
                self._traced = now
                traces = self._traces.take()
                if traces is not None:
                    lines = unpack_traces(traces)
                    self._page.view.show_rollouts(lines.paths, lines.colours, lines.best)
            elif self._plan is not None and now - self._ghosted >= GHOST_PERIOD_S:
                self._ghosted = now
                plan, self._plan = self._plan, None
                self._draw_ghost(plan)
        except PoloError as error:
            self._on_fault(str(error))

    def _draw_ghost(self, message: JointTrajectory) -> None:
        """The state that the plan leads to from the newest one, in this node's own simulation."""
        snapshot = self.states.snapshot()
        if snapshot is None:
            return
        plan = unpack_plan(self._joints, message)
        start = snapshot.stamp / NANOSECONDS
        periods = min(max(round((plan.end - start) / self._task.timestep), 0), LONGEST_GHOST)
        until = start + periods * self._task.timestep
        times = np.linspace(start, until, periods, endpoint=False)
        end = self._predictor.follow(snapshot.state, plan.sample(times))
        self._page.view.show_ghost(end[: self._task.model.nq])

    def _sample(self) -> None:
        """Take a sample of all plotted numbers."""
        history = self._page.plots.history
        age = self._plan_age()
        if age > LATE_S:
            history.put("plan_age", MILLISECONDS * age)
        summary, weights = self._summary.take(), self._weight_bytes.take()
        try:
            if summary is not None:
                for name, value in plotted(unpack_numbers(summary, "summary")).items():
                    history.put(name, value)
            if weights is not None:
                self._values.receive(unpack_bytes(weights))
        except PoloError as error:
            self._on_fault(str(error))
        self._values.draw()
        history.put("weights_age", self._values.age())
        history.sample()

    def _on_plan(self, message: JointTrajectory) -> None:
        self._plan = message
        self._plan_start = message.header.stamp.sec + message.header.stamp.nanosec / NANOSECONDS
        self._take_states()
        self._page.plots.history.put("plan_age", MILLISECONDS * self._plan_age())

    def _plan_age(self) -> float:
        """Of the newest plan at the newest state, in s; nan where either is missing.

        Both stamps are of the robot's clock, which this node need not follow.
        """
        snapshot = self.states.snapshot()
        age = math.nan if snapshot is None else snapshot.stamp / NANOSECONDS - self._plan_start
        return max(age, 0.0) if math.isfinite(age) else math.nan

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        prefix = self._node.get_namespace().strip("/")
        for status in message.status:
            space, _, name = status.name.rpartition("/")
            if space != prefix or name not in TABS:
                continue
            self._page.lights.hear(name, int.from_bytes(status.level, "little"), status.message)
            reported = {pair.key: pair.value for pair in status.values}
            for key in REPORTED.get(name, ()):
                if key in reported:
                    self._report(key, reported[key])

    def _report(self, key: str, text: str) -> None:
        try:
            value = float(text)
        except ValueError:
            return
        history = self._page.plots.history
        if key == "latency":  # in lockstep there is none, and a plan may take as long as it likes
            history.put("deadline", MILLISECONDS * value if value > 0.0 else math.nan)
        else:
            history.put(key, value)


def plotted(summary: Mapping[str, float]) -> dict[str, float]:
    """The numbers of a planner's summary as they are plotted: times in ms, and the band of the values."""
    found = dict(summary)
    if "plan_time" in found:
        found["plan_time"] *= MILLISECONDS
    if "value" in found and "value_std" in found:
        found["value_low"] = found["value"] - found["value_std"]
        found["value_high"] = found["value"] + found["value_std"]
    return found
