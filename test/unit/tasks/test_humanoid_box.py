"""Humanoid box: the world, the reward and the features of appendix A.3."""

import mujoco
import numpy as np
import pytest
from humanoids import control_cost, features_of, mirrored, mirrored_features, random_states

from polo_ros.arrays import Array
from polo_ros.tasks import Task, make_task

BOX = 28  # where the box's pose lies in qpos


@pytest.fixture(scope="module")
def box() -> Task:
    return make_task("humanoid_box")


def states_near_the_box(task: Task, count: int, seed: int) -> Array:
    """Random states with the box within about 2 m of the root and the goal anywhere."""
    rng = np.random.default_rng(seed)
    states = random_states(task, count, (0.0, 2.2), seed)
    states[:, BOX : BOX + 2] = states[:, :2] + rng.uniform(-1.2, 1.2, (count, 2))
    states[:, -7:-5] = rng.uniform(-3.0, 3.0, (count, 2))
    return states


def test_the_world_is_that_of_appendix_a_3(box: Task) -> None:
    model = box.model
    assert (model.nv, model.nu) == (33, 21)  # six more than the humanoid
    np.testing.assert_array_equal(2 * model.geom("box").size, [0.9, 0.9, 0.9])
    state = box.start_state(np.random.default_rng(0))
    np.testing.assert_allclose(state[BOX : BOX + 3] - [*state[:2], 0], [1.5, 0, 0.45], atol=1e-12)
    np.testing.assert_allclose(state[-7:-5] - state[:2], [2.5, 0], atol=1e-12)


def test_the_humanoid_is_the_one_of_the_other_tasks(box: Task, humanoid_getup: Task) -> None:
    ours, theirs = box.model, humanoid_getup.model
    np.testing.assert_array_equal(ours.actuator_gear, theirs.actuator_gear)
    for name in (theirs.body(index).name for index in range(1, theirs.nbody)):
        assert ours.body(name).mass == theirs.body(name).mass
    np.testing.assert_array_equal(ours.key("standing").qpos[:28], theirs.key("standing").qpos)


def test_the_box_slides_on_the_floor_but_not_in_the_hands(box: Task) -> None:
    """Pushed to 1 m/s, the box slides as friction 0.05 has it: v² / (2 μ g), about a metre."""
    data = mujoco.MjData(box.model)
    data.qpos[:3] = [-5.0, 0.0, 0.2]
    mujoco.mj_step(box.model, data, 100)
    data.qvel[27] = 1.0
    before = data.qpos[BOX]
    mujoco.mj_step(box.model, data, 400)
    assert abs(data.qvel[27]) < 0.01
    assert data.qpos[BOX] - before == pytest.approx(1.0 / (2 * 0.05 * 9.81), rel=0.05)
    assert box.model.geom("box").friction[0] >= 0.7


@pytest.mark.parametrize("torque_scale", [1.0, 0.2])
def test_the_reward_is_that_of_appendix_a_3(torque_scale: float) -> None:
    task = make_task("humanoid_box", torque_scale=torque_scale)
    states = states_near_the_box(task, 60, seed=5)
    controls = np.random.default_rng(6).uniform(-1, 1, (60, task.model.nu))
    rewards = task.reward(task.observe(states, controls))
    branches = set()
    for state, ctrl, reward in zip(states, controls, rewards, strict=True):
        root, cube, target = state[:2], state[BOX : BOX + 2], state[-7:-5]
        root_z = float(state[2])
        apart = float(np.sqrt((cube[0] - root[0]) ** 2 + (cube[1] - root[1]) ** 2))
        missing = float(np.sqrt((cube[0] - target[0]) ** 2 + (cube[1] - target[1]) ** 2))
        if root_z <= 1.1:
            expected, branch = -(1.1 - root_z), "low"
        elif apart > 0.8:
            expected, branch = 2.0 - apart, "far"
        else:
            expected, branch = 4.0 - 2.0 * missing, "near"
        branches.add(branch)
        assert reward == pytest.approx(expected - 0.02 * control_cost(task.model, ctrl), abs=1e-9)
    assert branches == {"low", "far", "near"}


def test_a_mirrored_pose_has_mirrored_features(box: Task) -> None:
    flip = np.array([1.0, -1.0, 1.0])
    for state in random_states(box, 20, (3.0, 4.0), seed=2):
        state[BOX : BOX + 3] = np.random.default_rng(3).uniform(3.0, 9.0, 3)
        features, twin = features_of(box, state), features_of(box, mirrored(box, state))
        position, velocity, seen, goal = np.split(features[34:], [3, 6, 9])
        expected = [*mirrored_features(features[:34]), *flip * position, *flip * velocity, *flip * seen]
        np.testing.assert_allclose(twin, [*expected, *flip[:2] * goal], atol=1e-9)


def test_features_of_a_known_pose(box: Task) -> None:
    data = mujoco.MjData(box.model)
    data.qpos[:7] = [1.0, 2.0, 2.0, np.sqrt(0.5), 0, 0, np.sqrt(0.5)]  # facing y
    data.qpos[BOX : BOX + 3] = [1.0, 5.0, 2.5]
    data.qvel[27:30] = [0.1, 0.2, 0.3]
    features = features_of(box, box.state_of(data))
    assert box.feature_count == len(features) == 45
    np.testing.assert_allclose(features[34:37], [1.0, 5.0, 2.5], atol=1e-12)
    np.testing.assert_allclose(features[37:40], [0.1, 0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(features[40:43], [3.0, 0.0, 0.5], atol=1e-12)
    np.testing.assert_allclose(features[43:], [1.5, -5.0], atol=1e-12)


def test_where_robot_box_and_goal_are_together_changes_the_boxs_position_alone(box: Task) -> None:
    for state in random_states(box, 5, (3.0, 4.0), seed=4):
        moved = state.copy()
        for where in (0, BOX, len(state) - 7):
            moved[where : where + 2] += [5.0, -7.0]
        change = features_of(box, moved) - features_of(box, state)
        expected = np.zeros(45)
        expected[34:36] = [5.0, -7.0]
        np.testing.assert_allclose(change, expected, atol=1e-9)


def test_arriving_is_within_0_3_m(box: Task) -> None:
    states = np.tile(box.start_state(np.random.default_rng(0)), (3, 1))
    states[:, BOX] = [2.5, 2.21, 2.19]
    view = box.observe(states)
    np.testing.assert_allclose(box.measured(view), [0.0, 0.29, 0.31], atol=1e-9)
    assert box.achieved(view).tolist() == [True, True, False]
