"""Velocity goals over ROS 2: they travel with the state, end with their user, and bad ones are refused."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PoseStamped, Twist
from harness import EVERYTHING, Graph, stamps
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from polo_ros.arrays import Array
from polo_ros.nodes.messages import pack_goal, unpack_experience
from polo_ros.tasks import Task, make_task

TASK = Path(__file__).parents[1] / "support" / "quadruped.py"
LIGHT = {"horizon": 4, "rollouts": 8, "noise_knots": 2, "threads": 1}
WANTED = [0.5, -0.25, 0.125]


class Robot:
    """The quadruped in lockstep with its experience on record."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.task: Task = make_task(str(TASK))
        config = graph.folder / "trot.yaml"
        config.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"task": str(TASK)}}}))
        self.states = graph.record(JointState, "joint_states")
        self.experience = graph.record(Float64MultiArray, "experience")
        self.velocity = graph.node.create_publisher(Twist, "cmd_vel", EVERYTHING)
        graph.start("simulator_node", config=config)
        graph.start("planner_node", config=config, autostart=True, **LIGHT)
        graph.wait(lambda: len(self.experience) > 3, "experience")
        graph.wait(self.velocity.get_subscription_count, "a reader of cmd_vel")

    def goals(self) -> dict[float, list[float]]:
        """The velocity goals that the experienced states carry, by time in s."""
        rows = [unpack_experience(message, self.task) for message in self.experience]
        return {float(row["time"][0]): goal_of(self.task, row["state"][0]) for row in rows}

    def command(self, x: float, y: float, yaw: float) -> None:
        """Publish a velocity as a user does."""
        message = Twist()
        message.linear.x, message.linear.y, message.angular.z = x, y, yaw
        self.velocity.publish(message)


def goal_of(task: Task, state: Array) -> list[float]:
    """The velocity goal in a flat state."""
    return [float(value) for value in task.goal_of(state)[:3]]


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Generator[Robot]:
    with Graph(tmp_path_factory.mktemp("trot")) as graph:
        yield Robot(graph)


def test_a_velocity_is_served_for_half_a_simulated_second(robot: Robot) -> None:
    robot.command(*WANTED)
    robot.graph.wait(lambda: WANTED in robot.goals().values(), "experience with the velocity")
    robot.graph.wait(lambda: list(robot.goals().values())[-1] == [0.0] * 3, "an end of the velocity")
    served = [time for time, goal in robot.goals().items() if goal == WANTED]
    assert len(served) in (25, 26)  # of 20 ms
    np.testing.assert_allclose(np.diff(served), 0.02, rtol=0, atol=1e-9)  # without a gap


def test_a_velocity_that_is_not_finite_is_refused_and_the_robot_goes_on(robot: Robot) -> None:
    robot.command(float("nan"), 0.0, 0.0)
    robot.graph.wait(lambda: "cmd_vel holds a value" in robot.graph.log("simulator_node"), "refusal")
    seen = stamps(robot.states)[-1]
    robot.graph.wait(lambda: stamps(robot.states)[-1] > seen, "states")
    assert np.isfinite(list(robot.goals().values())).all()


def test_a_pose_for_a_robot_that_is_told_velocities_is_refused(robot: Robot) -> None:
    poses = robot.graph.node.create_publisher(PoseStamped, "goal", EVERYTHING)
    goal = pack_goal(np.ones(3), np.array([1.0, 0.0, 0.0, 0.0]), 0)
    sentence = "task trot has no pose goal to set; it has a velocity goal, which the topic cmd_vel gives"
    for node in ("planner_node", "simulator_node"):
        robot.graph.publish_until(
            poses, goal, lambda node=node: sentence in robot.graph.log(node), f"refusal by {node}"
        )


def test_a_velocity_for_a_task_without_such_a_goal_is_refused(graph: Graph) -> None:
    graph.start("planner_node", lockstep=False)
    velocity = graph.node.create_publisher(Twist, "cmd_vel", EVERYTHING)
    sentence = "cartpole_swingup has no goal to set: its model has no mocap body"
    graph.publish_until(velocity, Twist(), lambda: sentence in graph.log("planner_node"), "refusal")
