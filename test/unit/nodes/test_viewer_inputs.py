"""What the viewer makes of the messages that it takes."""

from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from domains import claim_domain
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectory

from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.viewer_inputs import ViewerInputs
from polo_ros.tasks import make_task
from polo_ros.viewer.page import Page


class Nobody:
    """Takes requests and does nothing."""

    def __getattr__(self, _: str) -> object:
        return lambda *_: None


@pytest.fixture
def node() -> Iterator[LightweightNode]:
    """A node by the wall clock."""
    domain, claim = claim_domain()
    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    node = LightweightNode("test", context=context)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    claim.close()


def test_the_age_of_a_plan_is_of_the_robots_clock(node: LightweightNode) -> None:
    """A simulated robot's, too, although this node's clock is the wall's."""
    task = make_task("cartpole_swingup")
    page = Page(0, task, "", task.start_state(np.random.default_rng(0)), Nobody())  # type: ignore[arg-type]
    inputs = ViewerInputs(node, task, page, pytest.fail, lambda _: None, dict, lambda *_: None)
    (_, receive), *_ = inputs._state_topics
    header = Header(stamp=Time(sec=3))
    state = {"position": [0.0, 0.0], "velocity": [0.0, 0.0]}
    receive(JointState(header=header, name=["slider", "hinge"], **state))
    inputs._on_plan(JointTrajectory(header=Header(stamp=Time(sec=2, nanosec=980_000_000))))
    inputs._sample()
    assert page.plots.history.curve("plan_age")[-1] == pytest.approx(20.0)
    # no other plan comes, while the robot's time goes on
    receive(JointState(header=Header(stamp=Time(sec=4)), name=["slider", "hinge"], **state))
    inputs._sample()
    assert page.plots.history.curve("plan_age")[-1] == pytest.approx(1020.0)
    inputs.close()
    page.close()
