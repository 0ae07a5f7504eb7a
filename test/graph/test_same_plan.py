"""The planner behind ROS 2 plans what the agent in one process plans."""

import mujoco
import numpy as np
import pytest
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.agent import Agent
from polo_ros.arrays import Array
from polo_ros.config import settings_for
from polo_ros.nodes.messages import best_trace, pack_joint_state, pack_odometry, unpack_command
from polo_ros.nodes.robot import Robot
from polo_ros.planner import Planner
from polo_ros.share import share_path

from .harness import EVERYTHING, Graph


def moving_state(model: mujoco.MjModel) -> Array:
    """A state that is turned and moving in every direction, (nq + nv,)."""
    rng = np.random.default_rng(5)
    data = mujoco.MjData(model)
    data.qvel[:] = rng.normal(0.0, 0.5, model.nv)
    qpos = data.qpos.copy()
    mujoco.mj_integratePos(model, qpos, rng.normal(0.0, 0.5, model.nv), 1.0)
    return np.concatenate([qpos, data.qvel])


@pytest.mark.parametrize("task_name", ["cartpole_swingup", "humanoid_getup"])
def test_one_state_gives_one_plan(graph: Graph, task_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = share_path("config", f"{task_name}.yaml")
    settings = settings_for(task_name)
    task, robot = settings.task, Robot(settings.task.model)
    state = moving_state(task.model)
    qpos, qvel = np.split(state, [task.model.nq])
    plans = graph.record(JointTrajectory, "planner_node/plan")
    commands = graph.record(Float64MultiArray, "effort_controller/commands")
    odometry = graph.node.create_publisher(Odometry, "odom", EVERYTHING)
    joints = graph.node.create_publisher(JointState, "joint_states", EVERYTHING)

    def publish(stamp: int) -> None:
        if robot.base is not None:
            odometry.publish(pack_odometry(robot.base, qpos, qvel, stamp, robot.base.name))
        joints.publish(pack_joint_state(robot, qpos, qvel, stamp))

    # the planner has found the probe's subscriptions once it answers, with its safe action
    graph.start("planner_node", config=config, seed=7, weights_file="")

    def answered_safely() -> bool:
        publish(0)
        return bool(commands)

    graph.wait(answered_safely, "safe action")
    assert not plans
    assert graph.enable(True).success
    publish(round(task.timestep * 1e9))
    graph.wait(lambda: plans and unpack_command(commands[-1])[1] != 0, "plan and command")

    def start(data: mujoco.MjData, _: np.random.Generator) -> None:
        data.qpos[:], data.qvel[:] = qpos, qvel

    monkeypatch.setattr(task, "start", start)
    agent = Agent(task, Planner(task, settings.planner, seed=7, threads=1))
    step = agent.step()
    knots = [robot.command(row.clip(task.control_low, task.control_high)) for row in step.report.plan.knots]
    received = plans[0]
    assert received.joint_names == robot.command_joints
    assert received.header.frame_id == f"interpolation:{step.report.plan.interpolation}"
    np.testing.assert_allclose([point.effort for point in received.points], knots, rtol=0, atol=1e-9)
    np.testing.assert_allclose(commands[-1].data, robot.command(step.ctrl), rtol=0, atol=1e-9)
    times = [point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in received.points]
    np.testing.assert_allclose(times, np.arange(len(knots)) * step.report.plan.spacing, atol=1e-9)


def test_the_agent_lives_the_life_of_the_graph(graph: Graph) -> None:
    settings = settings_for("cartpole_swingup")
    states = graph.record(JointState, "joint_states")
    graph.start("simulator_node", seed=7)
    graph.wait(lambda: states, "start state")
    graph.start("planner_node", seed=7, autostart=True)
    graph.wait(lambda: states[-1].header.stamp.sec >= 1, "one second of simulated time")

    agent = Agent(settings.task, Planner(settings.task, settings.planner, seed=7, threads=1), seed=7)
    expected = {round(step.time * 50): step.state for step in (agent.step() for _ in range(50))}
    for message in states:
        index = round((message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec) * 50)
        if index in expected:
            np.testing.assert_allclose(
                [*message.position, *message.velocity], expected[index], rtol=0, atol=1e-9
            )
    assert len(states) >= 50


def test_the_planner_draws_its_rollouts_when_someone_looks(graph: Graph) -> None:
    traces = graph.record(MarkerArray, "planner_node/candidate_trajectories")
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True)
    graph.wait(lambda: traces, "candidate trajectories")
    line = best_trace(traces[-1])
    settings = settings_for("cartpole_swingup")
    assert line.shape == (settings.planner.horizon + 1, 3)
    assert np.isfinite(line).all()
