"""Goals that are poses or velocities."""

import numpy as np
import pytest

from polo_ros.agent.world import World
from polo_ros.control.joints import JointMapping
from polo_ros.control.state import StateAssembler
from polo_ros.errors import PoloError
from polo_ros.planner.rollouts import Rollouts
from polo_ros.tasks import features, make_task
from polo_ros.tasks.building import add_pose_goal
from test.support.quadruped import Trot

WANTED = np.array([0.5, -0.2, 0.3])


class TrotTo(Trot):
    """The same with a place to go to, which comes first in the model."""

    def build(self, spec) -> None:  # type: ignore[no-untyped-def]
        add_pose_goal(spec, (1.0, 0.0, 0.0))
        super().build(spec)


def test_a_velocity_goal_travels_with_the_state() -> None:
    task = Trot()
    world = World(task, np.random.default_rng(0))
    world.set_velocity_goal(WANTED)
    assert task.goals.kinds == ("velocity",) and task.goal_of(world.state)[:3].tolist() == WANTED.tolist()
    controls = np.tile(task.neutral, (1, 1, 4, 1))
    recorded = Rollouts(task.model, 1, task.substeps).run(world.state[None], controls)
    np.testing.assert_array_equal(
        features.velocity_goal(task.view(recorded.sensordata, controls)), np.tile(WANTED, (1, 1, 4, 1))
    )
    np.testing.assert_allclose(task.missing(task.observe(world.state)), WANTED, atol=1e-9)


def test_a_model_may_have_both_goals() -> None:
    task = TrotTo()
    assert task.goals.kinds == ("pose", "velocity") and task.goal_size == 14
    world = World(task, np.random.default_rng(0))
    world.set_velocity_goal(WANTED)
    world.set_goal(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 0.0]))
    view = task.observe(world.state)
    assert features.velocity_goal(view).tolist() == WANTED.tolist()
    assert view.sensor("goal_position").tolist() == [1.0, 2.0, 3.0]
    assert view.sensor("goal_orientation").tolist() == [0.0, 1.0, 0.0, 0.0]


def test_received_goals_are_part_of_the_assembled_state() -> None:
    task = TrotTo()
    states = StateAssembler(task, JointMapping(task.model), lockstep=True)
    assert states.missing() == ["joint_states", "odom", "goal", "velocity_goal"]
    states.add_velocity_goal(WANTED, 0)
    states.add_goal(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 0.0]), 0)
    states.add_joints(np.zeros(8), np.zeros(8), 0)
    states.add_odometry("odom", np.array([0, 0, 1, 1.0, 0, 0, 0]), np.zeros(6), 0)
    snapshot = states.snapshot()
    assert snapshot is not None
    view = task.observe(snapshot.state)
    assert features.velocity_goal(view).tolist() == WANTED.tolist()
    assert view.sensor("goal_position").tolist() == [1.0, 2.0, 3.0]
    assert view.sensor("goal_orientation").tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trot", "task trot has no pose goal to set; it has a velocity goal, which the topic cmd_vel gives"),
        ("cartpole_swingup", "task cartpole_swingup has no goal to set: its model has no mocap body"),
    ],
)
def test_a_pose_for_a_task_without_one_is_refused(name: str, message: str) -> None:
    task = Trot() if name == "trot" else make_task(name)
    pose = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
    with pytest.raises(PoloError, match=message):
        World(task, np.random.default_rng(0)).set_goal(*pose)
    with pytest.raises(PoloError, match=message):
        StateAssembler(task, JointMapping(task.model), lockstep=False).add_goal(*pose, 0)


def test_a_velocity_for_a_task_with_a_pose_goal_is_refused() -> None:
    task = make_task("hand_cube")
    message = "task hand_cube has no velocity goal to set; it has a pose goal, which the topic goal gives"
    with pytest.raises(PoloError, match=message):
        World(task, np.random.default_rng(0)).set_velocity_goal(WANTED)
    with pytest.raises(PoloError, match=message):
        StateAssembler(task, JointMapping(task.model), lockstep=False).add_velocity_goal(WANTED, 0)
