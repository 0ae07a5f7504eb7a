"""`polo doctor` on running graphs: what it measures, what it finds wrong, and its exit code."""

import json
import sys
from typing import Any

import pytest
from hardware import Driver
from harness import Graph
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Float64MultiArray

DOCTOR = [sys.executable, "-c", "import sys; from polo_ros.cli import main; sys.exit(main())", "doctor"]


def examine(graph: Graph, name: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the doctor; its exit code and what it printed."""
    # a busy machine, or a node that joins the graph, may hold up messages for most of a second
    graph.run(name, [*DOCTOR, "--seconds", "3", "--json", *options])
    code, log = graph.exit_code(name), graph.log(name)
    assert log.startswith("{"), log
    content: dict[str, Any] = json.loads(log)
    return code, content


def test_a_simulated_robot_is_well(graph: Graph) -> None:
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True)
    graph.wait_says("planner_node", "planning")
    code, found = examine(graph, "doctor")
    assert (code, found["findings"]) == (0, [])
    (joints,) = found["states"]
    assert joints["messages"] > 10 and joints["publishers"] == ["/simulator_node"]
    assert found["commands"]["subscribers"] == ["/simulator_node"]
    assert found["planner"]["task"] == "cartpole_swingup"
    assert 0.0 < found["planner"]["round_trip"] <= found["planner"]["slowest_round_trip"]


def test_a_robot_that_is_not_well_is_named_part_by_part(graph: Graph) -> None:
    driver = Driver(graph, rate=100.0)  # on a busy machine, too, it is not too slow for the planner
    driver.names, driver.positions, driver.velocities = ["slider", "elbow"], [0.0, 0.0], [0.0, 0.0]
    driver.age = -2.0
    unheard = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    graph.node.create_publisher(Bool, "hardware/e_stop", unheard)
    graph.start("planner_node", lockstep=False)
    graph.wait_says("planner_node", "missing joint hinge")
    code, found = examine(graph, "doctor")
    probe = f"/{graph.node.get_name()}"
    expected = [
        "joint_states: missing joint hinge; expected slider, hinge; it also has elbow",
        "joint_states is stamped ",
        "nobody takes effort_controller/commands (std_msgs/msg/Float64MultiArray); start the controller",
        f"hardware/e_stop: /planner_node hears nothing of {probe}: their qualities of service do not fit",
    ]
    assert code == 1
    for start in expected:
        assert any(sentence.startswith(start) for sentence in found["findings"]), found["findings"]
    # the planner subscribes to the e-stop twice, and its own status may have come, too
    status = (
        "planner_node: no command: not enabled; call ~/enable; joint_states: missing joint hinge; expected"
    )
    for sentence in found["findings"]:
        assert sentence.startswith((*expected, status)), found["findings"]


def test_a_driver_alone_is_examined_for_a_task(graph: Graph) -> None:
    Driver(graph)
    graph.node.create_subscription(Float64MultiArray, "effort_controller/commands", lambda _: None, 1)
    code, found = examine(graph, "doctor", "--task", "cartpole_swingup")
    assert (code, found["planner"]) == (1, None)
    assert found["findings"] == ["no planner_node runs here; start it, or give --namespace and ROS_DOMAIN_ID"]
    assert found["states"][0]["rate"] == pytest.approx(50.0, rel=0.3)


def test_without_planner_and_task_there_is_nothing_to_examine(graph: Graph) -> None:
    graph.run("doctor", DOCTOR)
    assert graph.exit_code("doctor") == 1
    log = graph.log("doctor")
    assert log.startswith(
        "polo doctor: no node /planner_node answers; start the planner, or give --namespace"
    )
    assert log.count("\n") == 1
