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
def test_in_lockstep(graph: Graph, name: str) -> None:
    config = config_path(name)
    task = settings_for(name).task
    experience = graph.record(Float64MultiArray, "experience")
    graph.start("simulator_node", config=config, task=name)
    graph.start("planner_node", config=config, task=name, autostart=True, **LIGHT)
    graph.wait(lambda: len(experience) > STEPS, f"{STEPS} control periods")
    rows = [unpack_experience(message, task) for message in experience]
    times = [float(row["time"][0]) for row in rows]
    assert all(math.isclose(later - time, task.timestep, rel_tol=1e-6) for time, later in pairwise(times))
    graph.wait_says("planner_node", "planning")
    assert graph.reported("planner_node", "diverged_plans") == 0


@pytest.mark.parametrize("name", sorted(task_classes()))
def test_in_real_time(graph: Graph, name: str) -> None:
    config = config_path(name)
    commands = graph.record(Float64MultiArray, JointMapping(settings_for(name).task.model).command_topic)
    graph.start("simulator_node", config=config, task=name, lockstep=False, realtime_factor=0.2)
    graph.start(
        "planner_node", config=config, task=name, lockstep=False, use_sim_time=True, autostart=True, **LIGHT,
        safety__state_timeout=1.0,
    )  # fmt: skip
    graph.wait_says("planner_node", "planning")
    seen = len(commands)
    graph.wait(lambda: len({tuple(message.data) for message in commands[seen:]}) > 5, "changing commands")
    graph.wait_says("simulator_node", "running")
