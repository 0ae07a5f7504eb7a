"""Every task runs in lockstep and in real time, with the parameter file that comes with it."""

import math
from itertools import pairwise

import pytest
from harness import Graph
from std_msgs.msg import Float64MultiArray

from polo_ros.control.joints import JointMapping
from polo_ros.files import config_path
from polo_ros.nodes.messages import unpack_experience
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks import task_classes

STEPS = 20
# so that two busy cores keep up; what a task plans with is measured elsewhere
LIGHT = {"horizon": 8, "rollouts": 8, "noise_knots": 2, "threads": 1}


@pytest.mark.parametrize("name", sorted(task_classes()))
def test_in_lockstep_and_in_real_time(graph: Graph, name: str) -> None:
    """One robot each way, side by side."""
    config = config_path(name)
    task = settings_for(name).task
    experience = graph.record(Float64MultiArray, "lockstep/experience")
    commands = graph.record(Float64MultiArray, f"real_time/{JointMapping(task.model).command_topic}")
    graph.start(
        "simulator_node", "simulator", config=config, namespace="/real_time", task=name, lockstep=False,
        realtime_factor=0.2,
    )  # fmt: skip
    graph.start(
        "planner_node", "planner", config=config, namespace="/real_time", task=name, lockstep=False,
        use_sim_time=True, autostart=True, **LIGHT, safety__state_timeout=1.0,
    )  # fmt: skip
    graph.start("simulator_node", config=config, namespace="/lockstep", task=name)
    graph.start("planner_node", config=config, namespace="/lockstep", task=name, autostart=True, **LIGHT)

    graph.wait(lambda: len(experience) > STEPS, f"{STEPS} control periods in lockstep")
    rows = [unpack_experience(message, task) for message in experience]
    times = [float(row["time"][0]) for row in rows]
    assert all(math.isclose(later - time, task.timestep, rel_tol=1e-6) for time, later in pairwise(times))
    graph.wait_says("lockstep/planner_node", "planning")
    assert graph.reported("lockstep/planner_node", "diverged_plans") == 0
    graph.end("planner_node")  # which leaves the machine to real time

    graph.wait_says("real_time/planner_node", "planning")
    seen = len(commands)
    graph.wait(lambda: len({tuple(message.data) for message in commands[seen:]}) > 5, "changing commands")
    graph.wait(lambda: graph.says("real_time/simulator_node", "running"), "a simulator that is commanded")
