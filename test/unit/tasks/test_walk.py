"""Humanoid walk: the rewards of appendix A.2, its features and its start."""

import mujoco
import numpy as np
import pytest
from humanoids import control_cost, features_of, mirrored, mirrored_features, random_states

from polo_ros.arrays import Array
from polo_ros.tasks import Task, make_task


@pytest.fixture(scope="module")
def walk() -> Task:
    return make_task("humanoid_walk")


def world_velocity(task: Task, state: Array) -> Array:
    """The torso's velocity in the world: MuJoCo keeps a free joint's linear velocity there."""
    return state[task.model.nq : task.model.nq + 3]


@pytest.mark.parametrize("printed", [False, True])
def test_the_reward_is_that_of_appendix_a_2(walk: Task, printed: bool) -> None:
    """By default as its text says (distance from the x-axis); on demand with |Root_x| as printed."""
    weights = {"line": 0.0, "printed_line": -1.0} if printed else {}
    task = make_task("humanoid_walk")
    task.weights |= weights
    states = random_states(task, 40, (0.0, 2.2), seed=5)
    assert 5 < (states[:, 2] > 1.1).sum() < 35
    controls = np.random.default_rng(6).uniform(-1, 1, (40, task.model.nu))
    rewards = task.reward(task.observe(states, controls))
    for state, ctrl, reward in zip(states, controls, rewards, strict=True):
        root_x, root_y, root_z = (float(number) for number in state[:3])
        if root_z <= 1.1:
            expected = -(1.1 - root_z)
        else:
            speed = float(world_velocity(task, state)[0])
            expected = 1.0 - abs(1.0 - speed) - abs(root_x if printed else root_y)
        expected -= 0.02 * control_cost(task.model, ctrl)
        assert reward == pytest.approx(expected, abs=1e-9)


def test_the_helping_terms_are_off_by_default_and_what_they_say(walk: Task) -> None:
    assert {name for name, weight in walk.weights.items() if weight == 0.0} == {
        "printed_line", "heading", "balance", "upright", "motion",
    }  # fmt: skip
    data = mujoco.MjData(walk.model)  # upright in the air, facing x
    data.qpos[2] = 2.0
    data.qvel[:3] = [1.3, 0.2, 0.0]
    terms = walk.reward_terms(walk.observe(walk.state_of(data)))
    assert terms["heading"] == pytest.approx(1.0)
    # the feet lie 0.01 m behind the torso; 0.33 s at 0.3 m/s too fast and 0.2 m/s to the side
    assert terms["balance"] == pytest.approx(np.hypot(0.33 * 0.3 + 0.01, 0.33 * 0.2), abs=1e-9)


def test_the_features_are_the_humanoids_and_the_distance_from_the_axis(walk: Task) -> None:
    assert walk.feature_count == 35
    for state in random_states(walk, 10, (3.0, 4.0), seed=2):
        features = features_of(walk, state)
        assert features[34] == state[1]
        twin = features_of(walk, mirrored(walk, state))
        np.testing.assert_allclose(twin, [*mirrored_features(features[:34]), -features[34]], atol=1e-9)
        ahead = state.copy()
        ahead[0] += 5.0
        np.testing.assert_allclose(features_of(walk, ahead), features, atol=1e-12)


def test_start_states_stand(walk: Task) -> None:
    states = np.array([walk.start_state(np.random.default_rng(seed)) for seed in range(20)])
    np.testing.assert_array_equal(states[:, :7], np.tile([0, 0, 1.285, 1, 0, 0, 0], (20, 1)))
    assert 0.015 < np.abs(states[:, 7:28]).max() <= 0.02
    assert (states[:, 28:] == 0.0).all()


def test_walking_achieves_the_task_and_standing_falling_or_flying_does_not(walk: Task) -> None:
    states = np.tile(walk.start_state(np.random.default_rng(0)), (4, 1))
    nq = walk.model.nq
    states[0, nq] = 0.9
    states[1, nq] = 0.1
    states[2, nq], states[2, 2] = 0.9, 0.7
    states[3, nq], states[3, 2] = 0.9, 1.8
    view = walk.observe(states)
    assert walk.achieved(view).tolist() == [True, False, False, False]
    np.testing.assert_array_equal(walk.measured(view), states[:, 0])
