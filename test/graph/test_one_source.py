"""One node commands a robot and one simulates it: of two, the later one yields."""

from pathlib import Path
from typing import Any

import pytest
from harness import EVERYTHING, LATCHED, Graph
from std_msgs.msg import Float64MultiArray, UInt8MultiArray

from polo_ros.files import share_path
from polo_ros.nodes.messages import unpack_command


def answers(commands: list[Any]) -> dict[int | None, set[float]]:
    """The different forces in N that answer each stamp."""
    found: dict[int | None, set[float]] = {}
    for message in commands:
        values, answered = unpack_command(message)
        found.setdefault(answered, set()).add(float(values[0]))
    return found


def remaining(graph: Graph, names: tuple[str, str]) -> tuple[str, str]:
    """Wait until one of two processes has ended by itself; the one that is left and the one that ended."""
    running = {name: graph.children.pop(name) for name in names}  # `wait` fails where one of its nodes ends
    graph.wait(lambda: any(child.poll() is not None for child in running.values()), "end of a node")
    graph.children.update(running)
    (ended,) = (name for name in names if running[name].poll() is not None)
    assert graph.exit_code(ended) == 1
    (left,) = set(names) - {ended}
    return left, ended


def elsewhere(graph: Graph, folder: Path) -> None:
    """Let the next nodes see no locks of those that run: to each other they are on other machines."""
    folder.mkdir()
    graph.environment = graph.environment | {"XDG_RUNTIME_DIR": str(folder)}


def plan(graph: Graph) -> None:
    """Start a simulator and a planner that commands it."""
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True, seed=1)
    graph.wait_says("planner_node", "planning")


def start_second_planner(graph: Graph) -> None:
    """Start another planner, which ends with a sentence about the first one."""
    graph.start("planner_node", "second", autostart=True, seed=2)
    assert graph.exit_code("second") == 1
    log = graph.log("second")
    assert "another node publishes /effort_controller/commands already; stop it" in log
    assert f"it is /planner_node, process {graph.children['planner_node'].pid} on" in log
    assert "Traceback" not in log


def test_a_second_planner_names_the_first_and_never_commands(graph: Graph) -> None:
    commands = graph.record(Float64MultiArray, "effort_controller/commands")
    plan(graph)
    start_second_planner(graph)
    seen = len(commands)
    graph.wait(lambda: len(commands) > seen + 10, "the first planner to go on")
    assert all(len(forces) == 1 for forces in answers(commands).values())


def test_a_second_planner_on_another_machine_ends_once_it_is_discovered(graph: Graph, tmp_path: Path) -> None:
    commands = graph.record(Float64MultiArray, "effort_controller/commands")
    plan(graph)
    elsewhere(graph, tmp_path / "second")
    start_second_planner(graph)
    graph.wait(
        lambda: "has a second source, which must end: /planner_node" in graph.log("planner_node"), "warning"
    )
    seen = len(commands)
    graph.wait(lambda: len(commands) > seen + 10, "the first planner to go on")
    assert all(len(forces) == 1 for forces in answers(commands[seen:]).values())


@pytest.mark.parametrize("apart", [False, True])
def test_of_two_planners_that_start_at_once_one_commands(graph: Graph, tmp_path: Path, apart: bool) -> None:
    commands = graph.record(Float64MultiArray, "effort_controller/commands")
    graph.start("planner_node", "first", autostart=True, seed=1)
    if apart:
        elsewhere(graph, tmp_path / "second")
    graph.start("planner_node", "second", autostart=True, seed=2)
    left, ended = remaining(graph, ("first", "second"))
    assert f"process {graph.children[left].pid} on" in graph.log(ended)
    graph.start("simulator_node")
    graph.wait(lambda: len(commands) > 20, "commands")
    assert all(len(forces) == 1 for forces in answers(commands).values())
    graph.wait_says("planner_node", "planning")


@pytest.mark.parametrize("apart", [False, True])
def test_of_two_simulators_that_start_at_once_one_remains(graph: Graph, tmp_path: Path, apart: bool) -> None:
    graph.start("simulator_node", "first")
    if apart:
        elsewhere(graph, tmp_path / "second")
    graph.start("simulator_node", "second")
    left, ended = remaining(graph, ("first", "second"))
    assert f"process {graph.children[left].pid} on" in graph.log(ended)
    assert "another node publishes /joint_states already" in graph.log(ended)
    graph.wait_says("simulator_node", "lockstep awaits a command")
    assert graph.children[left].poll() is None


def test_a_second_learner_names_the_first_and_publishes_nothing(graph: Graph) -> None:
    weights = graph.record(UInt8MultiArray, "value_function/weights", LATCHED)
    shipped = share_path(
        "config", "humanoid_getup_paper_torque.yaml"
    )  # has weights to publish from the start
    graph.start("learner_node", config=shipped)
    graph.wait(lambda: weights, "weights")
    graph.start("learner_node", "second", config=shipped)
    assert graph.exit_code("second") == 1
    assert "another node publishes /value_function/weights already; stop it" in graph.log("second")
    assert f"it is /learner_node, process {graph.children['learner_node'].pid} on" in graph.log("second")
    graph.wait_says("learner_node", "learning")
    assert len(weights) == 1


def test_an_untrained_learner_leaves_a_planner_its_weights(graph: Graph) -> None:
    shipped = share_path("config", "humanoid_getup_paper_torque.yaml")
    graph.start("planner_node", config=shipped)
    graph.wait(lambda: graph.reported("planner_node", "weights_epoch") > 0, "the planner's weights")
    before = graph.reported("planner_node", "weights_epoch")
    graph.start("learner_node", config=shipped, weights_file="")
    graph.wait_says("learner_node", "warm-up: 0 of 1000 labels")
    for _ in range(2):
        graph.wait_says("planner_node", "")
    assert graph.reported("planner_node", "weights_epoch") == before
    assert graph.reported("planner_node", "refused_weights") == 0


def test_a_planner_is_silent_beside_a_publisher_that_cannot_yield(graph: Graph) -> None:
    commands = graph.record(Float64MultiArray, "effort_controller/commands")
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True)
    graph.wait(lambda: len(commands) > 10, "commands")
    unclaimed = graph.node.create_publisher(Float64MultiArray, "effort_controller/commands", EVERYTHING)
    graph.wait_says("planner_node", "no commands: /effort_controller/commands has another publisher; stop it")
    assert f"(/probe_{graph.domain})" in graph.statuses["planner_node"].message
    refused = graph.enable(True)
    assert not refused.success and "has another publisher" in refused.message
    seen = len(commands)
    graph.wait_says("planner_node", "no commands")
    assert len(commands) == seen
    graph.node.destroy_publisher(unclaimed)
    graph.wait_says("planner_node", "safe action: not enabled; call ~/enable")
    assert graph.enable(True).success
    graph.wait_says("planner_node", "planning")
