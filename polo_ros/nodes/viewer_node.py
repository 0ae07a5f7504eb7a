"""The viewer node: a page on localhost, drawn from the state topics, of a real robot too."""

from polo_ros.nodes.start import viewer_node

if __name__ == "__main__":  # before the imports that take seconds
    viewer_node()

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from visualization_msgs.msg import MarkerArray

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import GOAL, VELOCITY_GOAL, StateAssembler
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import best_trace
from polo_ros.nodes.node import PoloNode
from polo_ros.nodes.qos import LATCHED, SENSOR
from polo_ros.nodes.state_receiver import StateReceiver
from polo_ros.parameters.node_tables import ViewerNodeConfig
from polo_ros.tasks.goals import VELOCITY
from polo_ros.viewer.browser import BrowserViewer, free_port_from


class ViewerNode(PoloNode):
    """Shows the robot and the planner's best rollout; no other node needs it."""

    summarised = ("url",)

    def __init__(self) -> None:
        super().__init__("viewer_node")
        settings = self.config(ViewerNodeConfig)
        joints = JointMapping(self.task.model)
        self._states = StateAssembler(self.task, joints, lockstep=False)
        self._line: Array = np.empty((0, 3))
        base = joints.base
        port = free_port_from(settings.port)
        if port != settings.port:
            self.get_logger().warning(f"port {settings.port} is taken, so that the page is on port {port}")
        self._viewer = BrowserViewer(self.task.model, port, base.name if base else None)
        receiver = StateReceiver(
            joints, self._states, lambda _: None, self._on_fault, say=self.get_logger().info
        )
        for kind, topic, callback in receiver.state_topics():
            self.create_subscription(kind, topic, callback, SENSOR)
        self.create_subscription(PoseStamped, GOAL, receiver.on_goal, LATCHED)
        if VELOCITY in self.task.goals.kinds:
            self.create_subscription(TwistStamped, VELOCITY_GOAL, receiver.on_velocity_goal, SENSOR)
        traces = "planner_node/candidate_trajectories"
        self.create_subscription(MarkerArray, traces, self._on_traces, SENSOR)
        self.every(1.0 / settings.rate, self._draw)
        self.get_logger().info(f"watch the robot at {self._viewer.url}")

    def status(self) -> Status:
        """Where to look, what is missing, and bad input since the last call."""
        values: dict[str, object] = {"url": self._viewer.url}
        fault, self.fault = self.fault, ""
        missing = self._states.missing()
        if fault:
            return Status(Level.WARN, fault, values)
        if missing:
            return Status(Level.WARN, f"no message yet on {', '.join(missing)}", values)
        return Status(Level.OK, "showing", values)

    def _on_fault(self, fault: str) -> None:
        self.fault = fault

    def _on_traces(self, message: MarkerArray) -> None:
        try:
            self._line = best_trace(message)
        except PoloError as error:
            self._line = np.empty((0, 3))
            self._on_fault(str(error))

    def _draw(self) -> None:
        snapshot = self._states.snapshot()
        if snapshot is not None:
            nq, goals = self.task.model.nq, self.task.model.nmocap
            position, quaternion = np.split(self.task.goal_of(snapshot.state), [3 * goals])
            poses = (position.reshape(goals, 3), quaternion.reshape(goals, 4))
            self._viewer.show(snapshot.state[:nq], self._line, *poses)

    def close(self) -> None:
        """Close the page."""
        self._viewer.close()
