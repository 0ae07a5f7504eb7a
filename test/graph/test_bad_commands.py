"""Bad commands, and a second simulator: named, and the simulated world does not step."""

from collections.abc import Generator

import numpy as np
import pytest
from harness import EVERYTHING, Graph, stamps
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from polo_ros.nodes.messages import pack_command


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Generator[Graph]:
    with Graph(tmp_path_factory.mktemp("simulator")) as graph:
        graph.start("simulator_node")
        yield graph


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (Float64MultiArray(data=[1.0, 2.0]), "a command has 2 values for 1 joints; send one each for slider"),
        (Float64MultiArray(), "a command has 0 values for 1 joints; send one each for slider"),
        (Float64MultiArray(data=[float("nan")]), "the command for slider is nan"),
    ],
)
def test_a_bad_command_is_named_and_does_not_step(
    simulator: Graph, message: Float64MultiArray, sentence: str
) -> None:
    check_command(simulator, message, sentence)


def test_a_bad_label_is_named_and_does_not_step(simulator: Graph) -> None:
    message = pack_command(np.zeros(1), 0)
    message.layout.dim = [MultiArrayDimension(label="answers_stamp_ns=soon")]
    check_command(simulator, message, "the command's label 'answers_stamp_ns=soon' must end in a stamp in ns")


def check_command(graph: Graph, message: Float64MultiArray, sentence: str) -> None:
    """Send a bad command, then a good one: only the latter steps the world."""
    states = graph.record(JointState, "joint_states")
    commands = graph.node.create_publisher(Float64MultiArray, "effort_controller/commands", EVERYTHING)
    graph.wait(lambda: states and commands.get_subscription_count(), "simulator")
    start = stamps(states)[-1]
    graph.publish_until_says(commands, message, "simulator_node", sentence)
    assert stamps(states)[-1] == start
    commands.publish(pack_command(np.zeros(1), start))
    graph.wait(lambda: stamps(states)[-1] > start, "step")
    assert stamps(states)[-1] == start + 20_000_000
    graph.node.destroy_publisher(commands)


def test_a_second_simulator_is_refused(simulator: Graph) -> None:
    states = simulator.record(JointState, "joint_states")
    simulator.wait(lambda: states, "the first simulator")
    simulator.start("simulator_node", "second")
    assert simulator.exit_code("second") == 1
    assert "another node publishes /joint_states already; stop it" in simulator.log("second")
    assert "Traceback" not in simulator.log("second")
    seen = len(states)
    simulator.wait(lambda: len(states) > seen, "the first simulator to go on")


def test_a_second_simulator_may_have_a_namespace_of_its_own(simulator: Graph) -> None:
    states = simulator.record(JointState, "/other/joint_states")
    simulator.start("simulator_node", "other", namespace="/other")
    simulator.wait(lambda: states, "the other simulator")
    assert simulator.end("other") == 0
