"""A planner as on hardware, with the probe as the robot's driver."""

from harness import EVERYTHING, Graph
from rclpy.duration import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from polo_ros.nodes.messages import unpack_command


class Driver:
    """Publishes joint states of the cart-pole while the probe listens.

    Args:
      graph: whose probe publishes.
      rate: of the messages, in Hz.

    Attributes:
      names, positions, velocities: what is published.
      running: whether it is.
      age: how old what is published is already, in s.
    """

    def __init__(self, graph: Graph, rate: float = 50.0) -> None:
        self.names = ["slider", "hinge"]
        self.positions = [0.0, 3.0]
        self.velocities = [0.0, 0.0]
        self.running = True
        self.age = 0.0
        self._clock = graph.node.get_clock()
        self._publisher = graph.node.create_publisher(JointState, "joint_states", EVERYTHING)
        graph.node.create_timer(1.0 / rate, self._publish)

    def _publish(self) -> None:
        if self.running:
            message = JointState(name=self.names, position=self.positions, velocity=self.velocities)
            message.header.stamp = (self._clock.now() - Duration(seconds=self.age)).to_msg()
            self._publisher.publish(message)


class Hardware:
    """The driver and a planner in real time, on the wall's clock.

    Args:
      graph: where they run.
      autostart: whether the planner commands from the start.
    """

    def __init__(self, graph: Graph, autostart: bool = False) -> None:
        self.graph = graph
        self.driver = Driver(graph)
        self.commands = graph.record(Float64MultiArray, "effort_controller/commands")
        # long enough for a busy machine
        graph.start("planner_node", lockstep=False, autostart=autostart, safety__state_timeout=1.0)
        if autostart:
            graph.wait(lambda: self.commands, "command")
        else:  # a planner that was never enabled is silent
            graph.wait_says("planner_node", "no command: not enabled; call ~/enable")

    def forces(self, count: int = 10) -> list[float]:
        """Forces in N that answer states published from now on, and so follow what was done before."""
        mark = self.graph.node.get_clock().now().nanoseconds
        fresh: list[float] = []
        looked_at = 0

        def enough() -> bool:
            nonlocal looked_at
            for message in self.commands[looked_at:]:
                values, answered = unpack_command(message)
                if answered is not None and answered > mark:
                    fresh.append(float(values[0]))
            looked_at = len(self.commands)
            return len(fresh) >= count

        self.graph.wait(enough, "commands")
        return fresh

    def wait_for_motion(self) -> None:
        """Until forces answer states published from now on."""
        self.graph.wait(lambda: any(self.forces(1)), "force")

    def wait_for_rest(self) -> None:
        """Until the newest commands, to whatever state, are of no force."""
        seen = len(self.commands)
        self.graph.wait(
            lambda: len(self.commands) >= seen + 5 and not any(m.data[0] for m in self.commands[-5:]), "rest"
        )
