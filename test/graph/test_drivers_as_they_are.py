"""A driver without velocities, with an imu beside slow odometry, whose servos follow trajectories."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import yaml
from harness import EVERYTHING, Graph
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState
from trajectory_msgs.msg import JointTrajectory

from polo_ros.control.joints import JointMapping
from polo_ros.nodes.messages import pack_imu, pack_joint_state, pack_odometry
from polo_ros.tasks import make_task

TASK = Path(__file__).parents[1] / "support" / "quadruped.py"
LIGHT = {"horizon": 10, "rollouts": 8, "noise_knots": 2, "threads": 1}
DRIVER = {
    "lockstep": False, "use_imu": True, "command_message": "trajectory", "trajectory_points": 4,
    "safety__state_timeout": 1.0,
}  # fmt: skip


class Quadruped:
    """Joint states without velocities and an imu at 100 Hz, odometry at 20 Hz, while the probe listens.

    Attributes:
      imu: the message that is sent, but for its stamp.
      trajectories: received.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        task = make_task(str(TASK))
        self._joints = JointMapping(task.model)
        state = task.start_state(np.random.default_rng(0))
        self._qpos, self._qvel = state[: task.model.nq], np.zeros(task.model.nv)
        self.imu = pack_imu(self._qpos[3:7], np.zeros(3), 0, "trunk")
        node = graph.node
        self._clock = node.get_clock()
        self._publishers = [
            node.create_publisher(kind, topic, EVERYTHING)
            for kind, topic in ((JointState, "joint_states"), (Imu, "imu"), (Odometry, "odom"))
        ]
        node.create_timer(0.01, self._publish_fast)
        node.create_timer(0.05, self._publish_odometry)
        self.trajectories = graph.record(JointTrajectory, "joint_trajectory_controller/joint_trajectory")
        config = graph.folder / "trot.yaml"
        config.write_text(yaml.safe_dump({"/**": {"ros__parameters": {"task": str(TASK)}}}))
        graph.start("planner_node", config=config, autostart=True, **DRIVER, **LIGHT)
        graph.wait(lambda: len(self.trajectories) > 10, "trajectories")

    def _publish_fast(self) -> None:
        joints = pack_joint_state(self._joints, self._qpos, self._qvel, self._clock.now().nanoseconds)
        joints.velocity = []
        self._publishers[0].publish(joints)
        self.imu.header.stamp = joints.header.stamp
        self._publishers[1].publish(self.imu)

    def _publish_odometry(self) -> None:
        base, now = self._joints.base, self._clock.now().nanoseconds
        assert base is not None
        self._publishers[2].publish(pack_odometry(base, self._qpos, self._qvel, now, "trunk"))

    def wait_for_log(self, text: str) -> None:
        self.graph.wait(lambda: text in self.graph.log("planner_node"), f"'{text}' in the log")

    def wait_for_trajectories(self) -> None:
        """Until plans are followed."""
        seen = len(self.trajectories)
        self.graph.wait(lambda: any(len(each.points) > 1 for each in self.trajectories[seen:]), "plans")


@pytest.fixture(scope="module")
def quadruped(tmp_path_factory: pytest.TempPathFactory) -> Generator[Quadruped]:
    with Graph(tmp_path_factory.mktemp("quadruped")) as graph:
        yield Quadruped(graph)


def test_plans_go_out_as_trajectories_of_positions(quadruped: Quadruped) -> None:
    quadruped.wait_for_trajectories()
    message = next(each for each in reversed(quadruped.trajectories) if len(each.points) > 1)
    assert len(message.joint_names) == 8
    assert 1 < len(message.points) <= 4
    starts = [point.time_from_start.nanosec for point in message.points]
    assert starts == [20_000_000 * index for index in range(len(starts))]
    assert all(len(point.positions) == 8 and not len(point.effort) for point in message.points)
    log = quadruped.graph.log("planner_node")
    assert log.count(": positions are differentiated") == 1


@pytest.mark.parametrize(
    ("frame", "covariance", "sentence"),
    [
        ("camera", 0.0, "imu is in frame 'camera', which is no site or body on the base; set imu_frame to"),
        ("trunk", -1.0, "imu has no orientation (its covariance begins with -1); use a driver that"),
    ],
)
def test_an_imu_that_cannot_be_used_is_named_and_the_robot_is_safe(
    quadruped: Quadruped, frame: str, covariance: float, sentence: str
) -> None:
    imu = quadruped.imu
    imu.header.frame_id, imu.orientation_covariance[0] = frame, covariance
    try:
        quadruped.wait_for_log(sentence)
        quadruped.graph.wait_says("planner_node", sentence)
        seen = len(quadruped.trajectories)
        # parts more than 0.2 s apart make no state: the servos hold, one point at a time
        quadruped.graph.wait(
            lambda: (
                len(quadruped.trajectories) > seen + 5
                and all(len(each.points) == 1 for each in quadruped.trajectories[-5:])
            ),
            "rest",
        )
    finally:
        imu.header.frame_id, imu.orientation_covariance[0] = "trunk", 0.0
    quadruped.wait_for_trajectories()


def test_trajectories_of_efforts_are_refused(graph: Graph) -> None:
    graph.start("planner_node", lockstep=False, command_message="trajectory")
    assert graph.exit_code("planner_node") == 1
    assert "the actuator of joint 'slider' is no position servo" in graph.log("planner_node")
