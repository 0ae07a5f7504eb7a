"""The example's driver as hardware for a real planner node."""

import math
import sys
from pathlib import Path

from harness import Graph
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

DRIVER = Path(__file__).resolve().parents[2] / "examples" / "my_robot_driver.py"


def test_the_driver_swings_up_once_the_planner_is_enabled(tmp_path: Path) -> None:
    with Graph(tmp_path) as graph:
        states = graph.record(JointState, "joint_states")
        commands = graph.record(Float64MultiArray, "effort_controller/commands")
        graph.run("driver", [sys.executable, str(DRIVER)])
        # a busy machine may take longer between two states than a robot may
        graph.start("planner_node", lockstep=False, safety__state_timeout=1.0)
        graph.wait_says("planner_node", "not enabled")
        seen = len(states)
        graph.wait(lambda: len(states) > seen + 20, "states")
        assert not commands
        assert all(message.position[1] == math.pi for message in states)
        assert graph.enable(True).success
        graph.wait(lambda: math.cos(states[-1].position[1]) > 0.0, "a pole above the horizontal")
        assert graph.end("driver") == 0
