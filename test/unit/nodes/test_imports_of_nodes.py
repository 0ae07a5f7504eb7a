"""What importing the nodes costs and needs."""

import subprocess
import sys

NODES = (
    "planner_node, simulator_node, learner_node, viewer_node, status_monitor, episode_monitor, demo, learn"
)

HEAVY = ("torch", "scipy", "matplotlib")
LEAN = f"""
import sys
from polo_ros.nodes import {NODES.replace("viewer_node, ", "")}
print(*(name for name in {HEAVY} if name in sys.modules))
from polo_ros.nodes import viewer_node
print(*(name for name in {HEAVY} if name in sys.modules))
"""

# rclpy's classes can be subscripted from ROS 2 Kilted on, but not in Jazzy
NOT_SUBSCRIPTABLE = f"""
import rclpy.client, rclpy.node, rclpy.parameter, rclpy.publisher, rclpy.service, rclpy.subscription

def refuse(cls, item):
    raise TypeError(f"type '{{cls.__name__}}' is not subscriptable")

for cls in (
    rclpy.client.Client, rclpy.parameter.Parameter, rclpy.publisher.Publisher, rclpy.service.Service,
    rclpy.subscription.Subscription,
):
    cls.__class_getitem__ = classmethod(refuse)
from polo_ros.nodes import {NODES}
from benchmarks import jitter, realtime, recorder, round_trip, slow_planner, stamped_planner
"""


def run(program: str) -> str:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_no_node_imports_what_only_learning_and_drawing_need() -> None:
    """The meshes of the viewer's scene need SciPy."""
    assert run(LEAN) == "scipy"


def test_the_nodes_subscript_no_class_of_rclpy() -> None:
    run(NOT_SUBSCRIPTABLE)
