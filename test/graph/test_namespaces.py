"""Two robots in one domain, each in its namespace."""

import re
import sys

from harness import Graph
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64MultiArray

from polo_ros.nodes.messages import from_stamp

# simulated seconds per second
PACES = {"/slow": 0.2, "/fast": 0.5}


def test_robots_in_namespaces_keep_their_own_time(graph: Graph) -> None:
    clocks = {robot: graph.record(Clock, f"{robot}/clock") for robot in PACES}
    commands = {
        robot: graph.record(Float64MultiArray, f"{robot}/effort_controller/commands") for robot in PACES
    }
    for robot, factor in PACES.items():
        graph.start(
            "simulator_node", f"simulator{robot[1:]}", namespace=robot, lockstep=False, realtime_factor=factor
        )
        graph.start(
            "planner_node", f"planner{robot[1:]}", namespace=robot, lockstep=False, use_sim_time=True,
            autostart=True,
        )  # fmt: skip
    planners = [f"{robot[1:]}/planner_node" for robot in PACES]
    for planner in planners:
        graph.wait_says(planner, "planning")
    seen = {robot: len(sent) for robot, sent in commands.items()}
    graph.wait(lambda: all(len(commands[robot]) > seen[robot] + 20 for robot in PACES), "commands")
    for robot in PACES:
        times = [from_stamp(message.clock) for message in clocks[robot]]
        assert times == sorted(times)
        assert "jumped back" not in graph.log(f"planner{robot[1:]}")
        graph.wait_says(f"{robot[1:]}/planner_node", "planning")


def test_simulators_that_share_a_clock_say_so(graph: Graph) -> None:
    graph.start("simulator_node")
    graph.wait_says("simulator_node", "lockstep awaits")
    publisher = graph.node.create_publisher(Clock, "/clock", 1)
    graph.wait_says(
        "simulator_node", "another node publishes /clock, too; remap /clock to clock in a namespace"
    )
    graph.node.destroy_publisher(publisher)
    graph.wait_says("simulator_node", "lockstep awaits")


def test_the_demo_runs_in_a_namespace(graph: Graph) -> None:
    clock = graph.record(Clock, "/robot1/clock")
    out = graph.folder / "out"
    command = [sys.executable, "-m", "polo_ros.nodes.demo", "--task", "cartpole_swingup", "--out", str(out)]
    never_solved = ["-p", "reward.upright:=0.0"]
    graph.run("demo", [*command, *never_solved, "--no-learn", "--namespace", "robot1", "--bound", "120"])
    graph.wait(lambda: len(clock) > 100, "simulated time")
    assert not graph.node.count_publishers("/clock")
    graph.wait(lambda: re.search(r"episode 0 .* plan +\d", graph.log("demo")), "the planner's figures")
    assert graph.end("demo") == 1
    assert "interrupted" in graph.log("demo")
