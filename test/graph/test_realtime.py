"""Real time: simulator and planner run by the clock, and each survives the other."""

from collections.abc import Generator
from typing import Any

import pytest
from std_msgs.msg import Float64MultiArray

from .harness import Graph


class Loop:
    """Simulator and planner on the simulator's clock."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.commands = graph.record(Float64MultiArray, "effort_controller/commands")
        # half speed, so that a busy machine keeps up
        self.settings: dict[str, dict[str, Any]] = {
            "simulator_node": {"lockstep": False, "realtime_factor": 0.5},
            "planner_node": {"lockstep": False, "use_sim_time": True, "autostart": True},
        }

    def restore(self) -> None:
        """Start what is not running, and wait until it works."""
        for node, parameters in self.settings.items():
            if node not in self.graph.children or self.graph.children[node].poll() is not None:
                self.graph.start(node, **parameters)
        self.wait_for_motion()

    def wait_for_motion(self) -> None:
        """Until the planner plans, commands forces and the simulator follows."""
        self.graph.wait_says("planner_node", "planning")
        seen = len(self.commands)
        self.graph.wait(lambda: any(any(m.data) for m in self.commands[seen:]), "force")
        self.graph.wait_says("simulator_node", "running")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Loop]:
    with Graph(tmp_path_factory.mktemp("loop")) as graph:
        yield Loop(graph)


@pytest.fixture
def loop(both: Loop) -> Loop:
    """Simulator and planner, acting."""
    both.restore()
    return both


def test_commands_flow_by_the_clock(loop: Loop) -> None:
    plans = loop.graph.reported("planner_node", "plans")
    loop.graph.wait(lambda: loop.graph.reported("planner_node", "plans") > plans, "further plans")


def test_a_killed_planner_leaves_the_robot_safe_and_its_successor_goes_on(loop: Loop) -> None:
    loop.graph.kill("planner_node")
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    seen = len(loop.commands)
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    assert len(loop.commands) == seen
    loop.restore()


def test_an_interrupted_planner_ends_with_its_safe_action(loop: Loop) -> None:
    assert loop.graph.end("planner_node") == 0
    loop.graph.wait_says("simulator_node", "no command for 0.1 s: safe action")
    assert set(loop.commands[-1].data) == {0.0}


def test_a_simulator_that_starts_again_turns_back_time_and_the_planner_says_so(loop: Loop) -> None:
    loop.graph.kill("simulator_node")
    loop.restore()
    assert "time jumped back" in loop.graph.log("planner_node")
