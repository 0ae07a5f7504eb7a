"""A robot driver of your own, here of a cart-pole, in place of the simulator node. In three terminals:

    python examples/my_robot_driver.py
    python -m polo_ros.nodes.planner_node --ros-args \
        --params-file config/cartpole_swingup.yaml -p planner_node:lockstep:=false
    ros2 service call /planner_node/enable std_srvs/srv/SetBool "{data: true}"
"""

from contextlib import suppress
from math import copysign, cos, pi, sin

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

PERIOD = 0.02  # s, the task's control period
RAIL = 1.8  # m from the middle to each end of the rail
TIMEOUT = 5  # periods without a command after which the force is zero


class Driver(Node):
    """Publishes joint_states and applies the commands; `measure` and `actuate` are the hardware."""

    def __init__(self):
        super().__init__("my_robot_driver")
        self.x, self.angle, self.v, self.w = 0.0, pi, 0.0, 0.0  # m, rad from upright, m/s, rad/s
        self.force, self.age = 0.0, 0  # N; periods since the last command
        self.publisher = self.create_publisher(JointState, "joint_states", 10)
        self.create_subscription(Float64MultiArray, "effort_controller/commands", self.on_command, 1)
        self.create_timer(PERIOD, self.on_timer)

    def on_command(self, message):
        self.force, self.age = message.data[0], 0  # one entry for each actuated joint

    def on_timer(self):
        self.age += 1
        self.actuate(self.force if self.age <= TIMEOUT else 0.0)
        state = JointState(name=["slider", "hinge"])  # as in the MJCF file, in any order
        state.header.stamp = self.get_clock().now().to_msg()  # when it was measured
        state.position, state.velocity = self.measure()
        self.publisher.publish(state)

    def measure(self):  # a real robot reads its encoders here
        return [self.x, self.angle], [self.v, self.w]

    def actuate(self, force):  # a real robot drives its motors; this is a 1 kg cart, a pole of 0.1 kg and 1 m
        push = force / 1.1 + self.w**2 * sin(self.angle) / 22
        turn = (9.81 * sin(self.angle) - push * cos(self.angle)) / (2 / 3 - cos(self.angle) ** 2 / 22)
        self.v, self.w = self.v + PERIOD * (push - turn * cos(self.angle) / 22), self.w + PERIOD * turn
        self.x, self.angle = self.x + PERIOD * self.v, self.angle + PERIOD * self.w
        if abs(self.x) > RAIL:  # the end of the rail
            self.x, self.v = copysign(RAIL, self.x), 0.0


if __name__ == "__main__":
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C ends the executor between two events
    with suppress(KeyboardInterrupt):
        rclpy.spin(Driver())
