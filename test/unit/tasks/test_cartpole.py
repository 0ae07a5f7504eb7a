"""The cart-pole: mechanics, features, reward and start."""

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.tasks import Task


def state_of(task: Task, position: float, angle: float, velocity: float = 0.0, spin: float = 0.0) -> Array:
    data = mujoco.MjData(task.model)
    data.qpos[:] = position, angle
    data.qvel[:] = velocity, spin
    return task.state_of(data)


def test_dimensions(cartpole: Task) -> None:
    model = cartpole.model
    assert (model.nv, model.nu, cartpole.timestep) == (2, 1, 0.02)
    assert model.body_mass.tolist() == pytest.approx([0.0, 1.0, 0.1])
    assert model.actuator_gear[0, 0] == 10.0
    assert model.body("pole").ipos[2] == pytest.approx(0.5)  # a uniform pole of 1 m


def test_features(cartpole: Task) -> None:
    features = cartpole.value_features(cartpole.observe(state_of(cartpole, 0.3, 0.4, -0.5, 0.6)))
    np.testing.assert_allclose(features, [0.3, -0.5, np.sin(0.4), np.cos(0.4), 0.6], atol=1e-12)
    assert cartpole.feature_count == 5


def test_a_full_turn_changes_nothing_but_the_angle(cartpole: Task) -> None:
    once = cartpole.value_features(cartpole.observe(state_of(cartpole, 0.1, 0.7)))
    twice = cartpole.value_features(cartpole.observe(state_of(cartpole, 0.1, 0.7 + 2 * np.pi)))
    np.testing.assert_allclose(once, twice, atol=1e-12)


def test_the_reward_in_scalars(cartpole: Task) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        position, angle, velocity, spin = rng.uniform([-1.8, -4, -3, -6], [1.8, 4, 3, 6])
        ctrl = rng.uniform(-1, 1, 1)
        view = cartpole.observe(state_of(cartpole, position, angle, velocity, spin), ctrl)
        expected = (1 + np.cos(angle)) / 2 - 0.1 * position**2 - 0.01 * spin**2 - 0.01 * ctrl[0] ** 2
        assert cartpole.reward(view) == pytest.approx(expected, abs=1e-9)


def test_upright_at_rest_in_the_middle_is_best(cartpole: Task) -> None:
    best = cartpole.reward(cartpole.observe(state_of(cartpole, 0, 0)))
    assert best == 1.0
    for other in [(0.1, 0), (0, 0.1), (0, np.pi), (0, 0, 0, 1)]:
        assert cartpole.reward(cartpole.observe(state_of(cartpole, *other))) < best


def test_it_starts_hanging_at_rest(cartpole: Task) -> None:
    rng = np.random.default_rng(2)
    states = np.array([cartpole.start_state(rng) for _ in range(50)])
    assert np.abs(states[:, 0]).max() <= 0.1
    assert np.abs(states[:, 1] - np.pi).max() <= 0.1
    assert states[:, :2].std(axis=0).min() > 0.03
    np.testing.assert_array_equal(states[:, 2:], 0.0)


def test_hanging_is_stable_and_upright_is_not(cartpole: Task) -> None:
    data = mujoco.MjData(cartpole.model)
    for angle, stays in ((np.pi - 0.1, True), (0.1, False)):
        mujoco.mj_resetData(cartpole.model, data)
        data.qpos[1] = angle
        farthest = 0.0
        for _ in range(100):
            mujoco.mj_step(cartpole.model, data)
            farthest = max(farthest, abs(data.qpos[1] - angle))
        assert bool(farthest < 0.25) is stays


def test_achieved_near_upright_on_either_side(cartpole: Task) -> None:
    angles = np.array([-0.4, -0.3, 0.0, 0.3, 0.4, 2 * np.pi, np.pi])
    states = np.array([state_of(cartpole, 0.0, angle) for angle in angles])
    achieved = cartpole.achieved(cartpole.observe(states))
    assert achieved.tolist() == [False, True, True, True, False, True, False]


def test_the_motor_pushes_with_its_gear(cartpole: Task) -> None:
    data = mujoco.MjData(cartpole.model)
    data.ctrl[0] = 0.5
    mujoco.mj_forward(cartpole.model, data)
    np.testing.assert_allclose(data.qfrc_actuator, [5.0, 0.0])
