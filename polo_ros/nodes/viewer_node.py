"""The viewer node: MuJoCo Studio's page on localhost, drawn from the state topics, of a real robot too."""

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from visualization_msgs.msg import MarkerArray

from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import GOAL, StateAssembler
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import (
    best_trace,
    from_stamp,
    unpack_goal,
    unpack_joint_state,
    unpack_odometry,
)
from polo_ros.nodes.node import LATCHED, OK, SENSOR, WARN, PoloNode, exit_with
from polo_ros.parameters.node_tables import ViewerNodeConfig
from polo_ros.viewer.browser import BrowserViewer


class ViewerNode(PoloNode):
    """Shows the robot and the planner's best rollout; nobody needs it."""

    def __init__(self) -> None:
        super().__init__("viewer_node")
        settings = self.config(ViewerNodeConfig)
        self._robot = JointMapping(self.task.model)
        self._states = StateAssembler(self.task, self._robot, lockstep=False)
        self._line: Array = np.empty((0, 3))
        self._fault = ""
        base = self._robot.base
        self._viewer = BrowserViewer(self.task.model, settings.port, base.name if base else None)
        self.create_subscription(JointState, "joint_states", self._on_joints, SENSOR)
        for topic in self._states.odometry_topics():
            self.create_subscription(
                Odometry, topic, lambda message, topic=topic: self._on_odometry(topic, message), SENSOR
            )
        self.create_subscription(PoseStamped, GOAL, self._on_goal, LATCHED)
        traces = "planner_node/candidate_trajectories"
        self.create_subscription(MarkerArray, traces, self._on_traces, SENSOR)
        self.every(1.0 / settings.rate, self._draw)
        self.get_logger().info(f"watch the robot at {self._viewer.url}")

    def status(self) -> tuple[int, str, dict[str, object]]:
        """Where to look, and what is missing."""
        missing = self._states.missing()
        if self._fault:
            return WARN, self._fault, {"url": self._viewer.url}
        if missing:
            return WARN, f"no message yet on {', '.join(missing)}", {"url": self._viewer.url}
        return OK, "showing", {"url": self._viewer.url}

    def _on_joints(self, message: JointState) -> None:
        try:
            positions, velocities = unpack_joint_state(self._robot, message)
        except PoloError as error:
            self._fault = str(error)
            return
        self._fault = ""
        self._states.set_joints(positions, velocities, from_stamp(message.header.stamp))

    def _on_odometry(self, topic: str, message: Odometry) -> None:
        try:
            qpos, qvel = unpack_odometry(message, topic, "child")
        except PoloError as error:
            self._fault = str(error)
            return
        self._states.set_odometry(topic, qpos, qvel, from_stamp(message.header.stamp))

    def _on_goal(self, message: PoseStamped) -> None:
        try:
            self._states.set_goal(*unpack_goal(message))
        except PoloError as error:
            self._fault = str(error)

    def _on_traces(self, message: MarkerArray) -> None:
        self._line = best_trace(message)

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


def main() -> None:
    """Run the node."""
    exit_with(ViewerNode)


if __name__ == "__main__":
    main()
