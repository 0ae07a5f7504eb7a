"""What a planner shows of its plans; nothing is computed without a subscriber."""

import time

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64, Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.control.joints import JointMapping
from polo_ros.nodes.messages import NANOSECONDS, pack_numbers, pack_plan, pack_traces
from polo_ros.nodes.qos import LATCHED
from polo_ros.planner import Planner, PlanReport

# the attributes of a report that are published, by topic
NUMBERS = {
    "reward": "reward",
    "value": "value",
    "value_std": "value_std",
    "plan_time": "compute_time",
    "effective_sample_size": "effective_sample_size",
}
# what precedes the names of reward terms in a summary
TERM = "reward."
# least time between two summaries, in s of wall time: a page needs no more, and each message takes a tenth
# of a millisecond from the planner and from who receives it
SUMMARY_PERIOD_S = 0.1
# least time between two sets of lines: packing them takes a millisecond
TRACES_PERIOD_S = 0.2


class Telemetry:
    """Publishes each plan's numbers, its curve and its rollouts, each while it is subscribed to.

    A summary has all numbers of a plan in one message, and comes at most ten times a second.

    Args:
      node: on whose private topics.
      joints: names and units.
      planner: whose plans.
    """

    def __init__(self, node: Node, joints: JointMapping, planner: Planner) -> None:
        self._joints = joints
        self._planner = planner
        self._traces_sent = self._summed_up = -np.inf
        self._plans = node.create_publisher(JointTrajectory, "~/plan", 10)
        self._traces = node.create_publisher(MarkerArray, "~/candidate_trajectories", 10)
        self._terms = node.create_publisher(Float64MultiArray, "~/reward_terms", 10)
        self._names = node.create_publisher(String, "~/reward_terms/names", LATCHED)
        self._names.publish(String(data=",".join(planner.task.weights)))
        self._summary = node.create_publisher(Float64MultiArray, "~/summary", 10)
        self._newest_plan = node.create_publisher(JointTrajectory, "~/summary/plan", 10)
        self._numbers = {
            attribute: node.create_publisher(Float64, f"~/{name}", 10) for name, attribute in NUMBERS.items()
        }

    def publish(self, report: PlanReport) -> None:
        """Show the plan that was just made; called on the planning thread, before the next one."""
        for attribute, publisher in self._numbers.items():
            if publisher.get_subscription_count():
                publisher.publish(Float64(data=getattr(report, attribute)))
        if self._terms.get_subscription_count():
            self._terms.publish(pack_numbers(report.reward_terms))
        if self._plans.get_subscription_count():
            self._plans.publish(self._pack_plan(report))
        now = time.monotonic()
        if now - self._summed_up >= SUMMARY_PERIOD_S:
            self._summed_up = now
            self._publish_summary(report)
        due = now - self._traces_sent >= TRACES_PERIOD_S
        if due and self._traces.get_subscription_count() and report.valid_rollouts:
            self._traces_sent = now
            positions, returns = self._planner.traces()
            stamp = round(report.plan.start * NANOSECONDS)
            self._traces.publish(pack_traces(positions, returns, stamp))

    def _publish_summary(self, report: PlanReport) -> None:
        if self._summary.get_subscription_count():
            numbers = {name: float(getattr(report, attribute)) for name, attribute in NUMBERS.items()}
            terms = {f"{TERM}{name}": value for name, value in report.reward_terms.items()}
            self._summary.publish(pack_numbers(numbers | terms))
        if self._newest_plan.get_subscription_count():
            self._newest_plan.publish(self._pack_plan(report))

    def _pack_plan(self, report: PlanReport) -> JointTrajectory:
        plan, task = report.plan, self._planner.task
        knots = np.clip(plan.knots, task.control_low, task.control_high)
        return pack_plan(self._joints, plan, knots)
