"""Goals over ROS 2: they travel with the state, users set them live, and free objects are asked for."""

from collections.abc import Generator

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from harness import EVERYTHING, Graph, stamps
from nav_msgs.msg import Odometry
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from polo_ros.arrays import Array
from polo_ros.files import share_path
from polo_ros.nodes.messages import pack_goal, unpack_experience, unpack_goal
from polo_ros.tasks import make_task

BOX = share_path("config", "humanoid_box.yaml")
OWN = np.array([2.5, 0.0, 0.45, 1.0, 0.0, 0.0, 0.0])
GIVEN = np.array([1.5, 2.0, 0.45, 0.5, 0.5, 0.5, 0.5])
LIGHT = {"horizon": 4, "rollouts": 8, "noise_knots": 2}


class Box:
    """The humanoid and its box in lockstep, with everything about goals on record."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.task = make_task("humanoid_box")
        self._goals = graph.record(PoseStamped, "goal")
        self._experience = graph.record(Float64MultiArray, "experience")
        self.objects = graph.record(Odometry, "objects/box/odom")
        self.publisher = graph.node.create_publisher(PoseStamped, "goal", EVERYTHING)
        graph.start("simulator_node", config=BOX)
        graph.wait(lambda: self.objects and self._goals, "the first state")  # the probe misses none
        graph.start("planner_node", config=BOX, autostart=True, threads=1, **LIGHT)
        graph.wait(lambda: len(self._experience) > 3, "experience")

    def served(self) -> Array:
        """The goals that the experienced states carry, (n, 7), position first."""
        rows = [unpack_experience(message, self.task)["state"][0] for message in self._experience]
        return np.array([row[-7:] for row in rows])

    def published(self) -> dict[int, Array]:
        """The goals on the topic, by stamp in ns."""
        goals = (unpack_goal(message) for message in self._goals)
        return {stamp: np.concatenate([position, quaternion]) for position, quaternion, stamp in goals}

    def set(self, goal: Array) -> None:
        """Publish a goal as a user does, without a stamp."""
        self.publisher.publish(pack_goal(goal[:3], goal[3:], 0))

    def wait_until_served(self, goal: Array) -> None:
        """Until the newest experience was made for a goal."""
        self.graph.wait(lambda: np.array_equal(self.served()[-1], goal), f"experience with goal {goal}")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Generator[Box]:
    with Graph(tmp_path_factory.mktemp("box")) as graph:
        yield Box(graph)


def test_the_objects_and_the_goals_states_are_published_with_every_state(box: Box) -> None:
    def moments() -> list[int]:
        """Of the odometry heard; the simulator repeats a state that nobody answers."""
        return sorted(set(stamps(box.objects)))

    box.graph.wait(lambda: len(moments()) > 5, "odometry of the box")
    assert box.objects[0].child_frame_id == "box"
    assert box.objects[0].pose.pose.position.x == pytest.approx(1.5)
    # the goals of the last ones may still be on their way
    assert set(moments()[:-3]) <= set(box.published())


def test_a_goal_set_live_is_served_from_then_on_until_the_reset(box: Box) -> None:
    box.wait_until_served(OWN)
    box.set(GIVEN)
    box.wait_until_served(GIVEN)
    served = box.served()
    first = int(np.flatnonzero((served == GIVEN).all(axis=1))[0])
    assert (served[:first] == OWN).all() and (served[first:] == GIVEN).all()
    count = len(served)
    box.graph.wait(lambda: len(box.served()) > count + 10, "more experience")
    assert (box.served()[count:] == GIVEN).all()
    assert box.graph.call(Trigger, "simulator_node/reset_world").success
    box.wait_until_served(OWN)


def test_a_goal_that_is_no_pose_is_refused_and_the_old_one_stays(box: Box) -> None:
    box.wait_until_served(OWN)
    bad = GIVEN.copy()
    bad[3:] = 0.0
    box.set(bad)
    box.graph.wait(lambda: "not a unit quaternion" in box.graph.log("simulator_node"), "refusal")
    box.wait_until_served(OWN)


def test_a_driver_without_the_boxs_odometry_is_told_its_name(graph: Graph) -> None:
    graph.start("planner_node", config=BOX, autostart=True, lockstep=False, threads=1, **LIGHT)
    graph.wait_says("planner_node", "joint_states, odom, objects/box/odom")


def test_a_goal_for_a_task_that_has_none_is_refused(graph: Graph) -> None:
    graph.start("planner_node", autostart=True)
    publisher = graph.node.create_publisher(PoseStamped, "goal", EVERYTHING)
    goal, sentence = pack_goal(GIVEN[:3], GIVEN[3:], 0), "cartpole_swingup has no goal to set"
    graph.publish_until(publisher, goal, lambda: sentence in graph.log("planner_node"), "refusal")
