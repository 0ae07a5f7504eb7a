"""A user's actions on a running robot, as messages and service calls."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, Twist, WrenchStamped
from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from polo_ros.arrays import Array
from polo_ros.control.state import GOAL
from polo_ros.nodes.messages import pack_goal, pack_push
from polo_ros.nodes.qos import LATCHED, RELIABLE

# a button's service and, where it takes a switch, its position
SERVICES: dict[str, tuple[str, bool | None]] = {
    "Enable": ("planner_node/enable", True),
    "Disable": ("planner_node/enable", False),
    "Reset plan": ("planner_node/reset", None),
    "Pause": ("simulator_node/set_pause", True),
    "Continue": ("simulator_node/set_pause", False),
    "Step": ("simulator_node/step_simulation", None),
    "Reset world": ("simulator_node/reset_world", None),
    "Pause learning": ("learner_node/pause", True),
    "Go on learning": ("learner_node/pause", False),
    "Save checkpoint": ("learner_node/save_checkpoint", None),
}
# how often a velocity is repeated, in s
REPEAT_S = 0.1
PUSH = "simulator_node/push"


class Operator:
    """Sends goals, pushes, the e-stop and the calls of buttons.

    Args:
      node: sends.
      on_answer: called with a sentence when a service has answered.
    """

    def __init__(self, node: Node, on_answer: Callable[[str], None]) -> None:
        self._node = node
        self._on_answer = on_answer
        self._e_stop = node.create_publisher(Bool, "hardware/e_stop", LATCHED)
        self._goal = node.create_publisher(PoseStamped, GOAL, LATCHED)
        self._cmd_vel = node.create_publisher(Twist, "cmd_vel", RELIABLE)
        self._velocity, self._driven = np.zeros(3), 0.0
        self._push = node.create_publisher(WrenchStamped, PUSH, RELIABLE)
        self._clients: dict[str, Any] = {}
        for service, position in SERVICES.values():
            kind = Trigger if position is None else SetBool
            if service not in self._clients:
                self._clients[service] = node.create_client(kind, service)

    def press_e_stop(self, pressed: bool) -> None:
        """Press or release the e-stop; may be called from any thread, so that it waits for nothing."""
        self._e_stop.publish(Bool(data=pressed))

    def call(self, button: str) -> None:
        """Call a button's service."""
        service, position = SERVICES[button]
        client = self._clients[service]
        if not client.service_is_ready():
            self._on_answer(f"{service} does not answer: its node is not running")
            return
        request = Trigger.Request() if position is None else SetBool.Request(data=position)
        client.call_async(request).add_done_callback(lambda future: self._answer(service, future.result()))

    def send_goal(self, position: Array, quaternion: Array) -> None:
        """Publish a goal: position (3,) in m and quaternion (4,) wxyz."""
        self._goal.publish(pack_goal(position, quaternion, self._now()))

    def drive(self, velocity: Array) -> None:
        """Command a velocity (3,), ahead and left in m/s and yaw rate in rad/s, until the next one."""
        self._velocity = velocity
        self._publish_velocity()

    def keep_driving(self) -> None:
        """Repeat a velocity, which its receivers take for zero after half a second of silence."""
        if self._velocity.any() and time.monotonic() - self._driven >= REPEAT_S:
            self._publish_velocity()

    def stop_driving(self) -> None:
        """Command standing still, if anything else was commanded here."""
        if self._velocity.any():
            self.drive(np.zeros(3))

    def _publish_velocity(self) -> None:
        message = Twist()
        message.linear.x, message.linear.y, message.angular.z = map(float, self._velocity)
        self._driven = time.monotonic()
        self._cmd_vel.publish(message)

    def push(self, body: str, force: Array, torque: Array) -> None:
        """Push a body of the simulated robot; see `pack_push`."""
        self._push.publish(pack_push(body, force, torque, self._now()))

    def can_push(self) -> bool:
        """Whether a simulator listens; a real robot is pushed by hand."""
        return bool(self._push.get_subscription_count())

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _answer(self, service: str, response: Any) -> None:
        if response is not None:
            self._on_answer(f"{service}: {response.message}")
