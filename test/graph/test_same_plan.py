"""The planner behind ROS 2 plans what the agent in one process plans."""

import mujoco
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from harness import EVERYTHING, Graph
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.agent.agent import Agent
from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.control.state import GOAL, ODOM, object_topic
from polo_ros.files import share_path
from polo_ros.nodes.messages import (
    pack_goal,
    pack_joint_state,
    pack_odometry,
    unpack_command,
    unpack_odometry,
    unpack_traces,
)
from polo_ros.nodes.messages.displays import LINE_POINTS
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Plan, Planner, PlanReport


def received_state(bodies: list[tuple[str, FreeBody]], qpos: Array, qvel: Array) -> tuple[Array, Array]:
    """Positions and velocities as the messages carry them.

    `Odometry` holds a linear velocity in the child frame (REP-105), MuJoCo in the world frame. Turned there
    and back, it is rounded; nothing else is.
    """
    qpos, qvel = qpos.copy(), qvel.copy()
    for topic, body in bodies:
        message = pack_odometry(body, qpos, qvel, 0, body.name)
        pose, twist, _ = unpack_odometry(message, topic, "child")
        np.testing.assert_array_equal(pose, qpos[body.qpos : body.qpos + 7])
        np.testing.assert_array_equal(twist[3:], qvel[body.qvel + 3 : body.qvel + 6])
        np.testing.assert_allclose(twist[:3], qvel[body.qvel : body.qvel + 3], rtol=0, atol=1e-15)
        qvel[body.qvel : body.qvel + 3] = twist[:3]
    return qpos, qvel


def moving_world(model: mujoco.MjModel) -> mujoco.MjData:
    """A world that is turned and moving in every direction, with its goal somewhere else."""
    rng = np.random.default_rng(5)
    data = mujoco.MjData(model)
    data.qvel[:] = rng.normal(0.0, 0.5, model.nv)
    mujoco.mj_integratePos(model, data.qpos, rng.normal(0.0, 0.5, model.nv), 1.0)
    data.mocap_pos += rng.normal(0.0, 0.1, data.mocap_pos.shape)
    turns = rng.normal(size=data.mocap_quat.shape)
    data.mocap_quat[:] = turns / np.linalg.norm(turns, axis=-1, keepdims=True)
    return data


# a fixed base, a floating one, a free object with a goal, and position commands
@pytest.mark.parametrize("task_name", ["cartpole_swingup", "humanoid_getup", "humanoid_box", "hand_cube"])
def test_one_state_gives_one_plan(graph: Graph, task_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = share_path("config", f"{task_name}.yaml")
    settings = settings_for(task_name)
    task, robot = settings.task, JointMapping(settings.task.model)
    world = moving_world(task.model)
    qpos, qvel = world.qpos, world.qvel
    bodies = [(ODOM, robot.base)] if robot.base else []
    bodies += [(object_topic(body.name), body) for body in robot.objects]
    plans = graph.record(JointTrajectory, "planner_node/plan")
    commands = graph.record(Float64MultiArray, robot.command_topic)
    odometry = [(body, graph.node.create_publisher(Odometry, topic, EVERYTHING)) for topic, body in bodies]
    goal = graph.node.create_publisher(PoseStamped, GOAL, EVERYTHING)
    joints = graph.node.create_publisher(JointState, "joint_states", EVERYTHING)

    def publish(stamp: int) -> None:
        for body, publisher in odometry:
            publisher.publish(pack_odometry(body, qpos, qvel, stamp, body.name))
        if task.model.nmocap:
            goal.publish(pack_goal(world.mocap_pos[0], world.mocap_quat[0], stamp))
        joints.publish(pack_joint_state(robot, qpos, qvel, stamp))

    # the planner has found the probe's subscriptions once it answers, with the measured pose
    graph.start(
        "planner_node", config=config, seed=7, weights_file="", safety__disabled_action="hold_measured"
    )

    def answered_safely() -> bool:
        publish(0)
        return bool(commands)

    graph.wait(answered_safely, "measured pose")
    assert not plans
    if robot.position_controlled:
        low, high = task.control_low, task.control_high
        held = robot.command(robot.measured_ctrl(qpos).clip(low, high))
    else:
        held = np.zeros(task.model.nu)
    np.testing.assert_array_equal(commands[-1].data, held)
    assert graph.enable(True).success
    publish(round(task.timestep * 1e9))
    graph.wait(lambda: plans and unpack_command(commands[-1])[1] != 0, "plan and command")

    def start(data: mujoco.MjData, _: np.random.Generator) -> None:
        data.qpos[:], data.qvel[:] = received_state(bodies, qpos, qvel)
        data.mocap_pos[:], data.mocap_quat[:] = world.mocap_pos, world.mocap_quat

    monkeypatch.setattr(task, "start", start)
    agent = Agent(task, Planner(task, settings.planner, seed=7, threads=1))
    step = agent.step()
    knots = [robot.command(row.clip(task.control_low, task.control_high)) for row in step.report.plan.knots]
    received = plans[0]
    assert received.joint_names == robot.command_joints
    assert received.header.frame_id == f"interpolation:{step.report.plan.interpolation}"
    values = [point.positions or point.effort for point in received.points]
    np.testing.assert_array_equal(values, knots)
    np.testing.assert_array_equal(commands[-1].data, robot.command(step.ctrl))
    times = [point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec for point in received.points]
    np.testing.assert_allclose(times, np.arange(len(knots)) * step.report.plan.spacing, rtol=0, atol=1e-9)


class BehindTopics(Planner):
    """Rounds as messages do: times to whole ns, controls by a multiplication by the gear and a division."""

    def plan(self, state: Array, time: float) -> PlanReport:
        return super().plan(state, stamped(time))

    def control(self, plan: Plan, times: Array | float) -> Array:
        assert isinstance(times, float)
        joints = JointMapping(self.task.model)
        return joints.ctrl(joints.command(super().control(plan, stamped(times))))


def stamped(time: float) -> float:
    """A time in s as a stamp keeps it."""
    return round(time * NANOSECONDS) / NANOSECONDS


def test_the_agent_visits_the_states_of_the_graph(graph: Graph) -> None:
    settings = settings_for("cartpole_swingup")
    states = graph.record(JointState, "joint_states")
    graph.start("simulator_node", seed=7)
    graph.wait(lambda: states, "start state")
    graph.start("planner_node", seed=7, autostart=True)
    graph.wait(lambda: states[-1].header.stamp.sec >= 1, "one second of simulated time")

    agent = Agent(settings.task, BehindTopics(settings.task, settings.planner, seed=7, threads=1), seed=7)
    expected = {round(step.time * 50): step.state for step in (agent.step() for _ in range(50))}
    compared = set()
    for message in states:
        index = round((message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec) * 50)
        if index in expected:
            np.testing.assert_array_equal([*message.position, *message.velocity], expected[index])
            compared.add(index)
    assert len(compared) == 50


def test_the_planner_draws_its_rollouts_when_someone_looks(graph: Graph) -> None:
    traces = graph.record(MarkerArray, "planner_node/candidate_trajectories")
    graph.start("simulator_node")
    graph.start("planner_node", autostart=True)
    graph.wait(lambda: traces, "candidate trajectories")
    line = unpack_traces(traces[-1]).best
    settings = settings_for("cartpole_swingup")
    assert line.shape == (min(settings.planner.horizon + 1, LINE_POINTS), 3)
    assert np.isfinite(line).all()
