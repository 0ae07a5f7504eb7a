"""The hand and the cube: the reward of appendix B, features, goals and starts."""

import mujoco
import numpy as np
import pytest
from transforms3d.quaternions import axangle2quat, qinverse, qmult, quat2axangle, quat2mat

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.hand_cube import FINGERS, JOINTS


@pytest.fixture
def task() -> Task:
    return make_task("hand_cube")


def put(data: mujoco.MjData, cube: Array, goal: Array, place: Array, goal_place: Array) -> None:
    joint = data.joint("cube")
    joint.qpos[:3], joint.qpos[3:] = place, cube
    data.mocap_pos[0], data.mocap_quat[0] = goal_place, goal


def random_quat(rng: np.random.Generator) -> Array:
    quat = rng.standard_normal(4)
    return quat / np.linalg.norm(quat)


def random_states(task: Task, count: int, seed: int) -> Array:
    """Any joint angles, poses of cube and goal, and velocities."""
    rng = np.random.default_rng(seed)
    model, data = task.model, mujoco.MjData(task.model)
    states = []
    for _ in range(count):
        for joint in JOINTS:
            data.joint(joint).qpos = rng.uniform(*model.joint(joint).range)
        put(data, random_quat(rng), random_quat(rng), rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3))
        data.qvel[:] = rng.standard_normal(model.nv)
        states.append(task.state_of(data))
    return np.array(states)


def test_the_reward_is_that_of_appendix_b(task: Task) -> None:
    nq, nv = task.model.nq, task.model.nv
    states = random_states(task, 200, seed=2)
    rewards = task.reward(task.observe(states))
    for state, reward in zip(states, rewards, strict=True):
        place, cube = state[nq - 7 : nq - 4], state[nq - 4 : nq]
        goal_place, goal = state[nq + nv : nq + nv + 3], state[nq + nv + 3 :]
        angle = quat2axangle(qmult(qinverse(goal), cube))[1] % (2 * np.pi)
        angle = min(angle, 2 * np.pi - angle)
        l1 = sum(abs(float(a) - float(b)) for a, b in zip(place, goal_place, strict=True))
        assert reward == pytest.approx(-0.5 * l1 - 0.05 * angle, abs=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.4, 3.0, np.pi])
def test_the_orientation_error_is_the_turn_left(task: Task, angle: float) -> None:
    rng, data = np.random.default_rng(3), mujoco.MjData(task.model)
    for sign in (1.0, -1.0):
        goal = random_quat(rng)
        put(
            data,
            sign * qmult(goal, axangle2quat(rng.standard_normal(3), angle)),
            goal,
            np.ones(3),
            np.ones(3),
        )
        assert task.measured(task.observe(task.state_of(data))) == pytest.approx(angle, abs=1e-12)


def test_a_cube_that_strays_is_punished_where_asked(task: Task) -> None:
    data, unit = mujoco.MjData(task.model), np.array([1.0, 0, 0, 0])
    goal_place = data.mocap_pos[0].copy()
    for away, expected in ((0.0, 0.0), (0.06, 0.0), (0.1, 0.04)):
        put(data, unit, unit, goal_place - away * np.array([0, 0.6, 0.8]), goal_place)
        view = task.observe(task.state_of(data))
        assert task.reward_terms(view)["strayed"] == pytest.approx(expected, abs=1e-12)
    assert task.weights["strayed"] == 0.0  # not in the paper


def test_features_of_known_states(task: Task) -> None:
    nq, nv = task.model.nq, task.model.nv
    states = random_states(task, 20, seed=4)
    features = task.value_features(task.observe(states))
    assert features.shape == (20, 60) and task.feature_count == 60
    data = mujoco.MjData(task.model)
    for state, row in zip(states, features, strict=True):
        place, cube, goal = (
            state[nq - 7 : nq - 4],
            quat2mat(state[nq - 4 : nq]),
            quat2mat(state[nq + nv + 3 :]),
        )
        np.testing.assert_allclose(row[:3], place - state[nq + nv : nq + nv + 3], atol=1e-12)
        np.testing.assert_allclose(row[3:9], (cube @ goal.T)[:, :2].T.ravel(), atol=1e-9)
        np.testing.assert_allclose(row[9:15], cube[:, :2].T.ravel(), atol=1e-9)
        velocity = state[nq + nv - 6 : nq + nv]  # the angular velocity of a free joint is in the body's frame
        np.testing.assert_allclose(row[15:18], velocity[:3], atol=1e-9)
        np.testing.assert_allclose(row[18:21], cube @ velocity[3:], atol=1e-9)
        np.testing.assert_allclose(row[21:45], state[:24], atol=1e-12)
        data.qpos[:] = state[:nq]
        mujoco.mj_kinematics(task.model, data)
        fingers = [data.site(f"{finger}_tip").xpos - place for finger in FINGERS]
        np.testing.assert_allclose(row[45:], np.ravel(fingers), atol=1e-9)


def test_a_quaternion_and_its_negative_are_one_orientation(task: Task) -> None:
    nq, nv = task.model.nq, task.model.nv
    states = random_states(task, 20, seed=5)
    for where in (slice(nq - 4, nq), slice(nq + nv + 3, nq + nv + 7)):
        negated = states.copy()
        negated[:, where] *= -1
        one, other = task.observe(states), task.observe(negated)
        np.testing.assert_allclose(task.value_features(one), task.value_features(other), atol=1e-12)
        np.testing.assert_allclose(task.reward(one), task.reward(other), atol=1e-12)


def test_achieved_within_the_tolerances(task: Task) -> None:
    data, goal = mujoco.MjData(task.model), random_quat(np.random.default_rng(6))
    place = data.mocap_pos[0].copy()
    achieved = []
    for angle, away in ((0, 0), (0.39, 0.059), (0.41, 0), (0, 0.061), (np.pi, 0)):
        cube = qmult(axangle2quat([1, 2, 3], angle), goal)
        put(data, -cube, goal, place + np.array([0, 0, away]), place)
        achieved.append(bool(task.achieved(task.observe(task.state_of(data)))))
    assert achieved == [True, True, False, False, False]


def test_a_new_goal_is_a_new_orientation_and_nothing_else(task: Task) -> None:
    data = mujoco.MjData(task.model)
    task.start(data, np.random.default_rng(7))
    before = task.state_of(data)
    task.draw_goal(data, np.random.default_rng(8))
    changed = np.flatnonzero(task.state_of(data) != before)
    assert changed.tolist() == list(range(task.state_size - 4, task.state_size))
    drawn = data.mocap_quat[0].copy()
    task.draw_goal(data, np.random.default_rng(8))
    np.testing.assert_array_equal(data.mocap_quat[0], drawn)


def test_goals_are_uniform_over_all_rotations(task: Task) -> None:
    """Angles of uniform rotations have the density (1 - cos θ) / π: mean π/2 + 2/π, 0.34 % below 0.4."""
    data, rng = mujoco.MjData(task.model), np.random.default_rng(9)
    angles = []
    for _ in range(4000):
        task.draw_goal(data, rng)
        angles.append(2 * np.arccos(min(abs(float(data.mocap_quat[0, 0])), 1.0)))
    assert np.mean(angles) == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.04)
    assert np.mean(np.array(angles) < 0.4) < 0.008


def test_the_world_draws_a_goal_every_75_periods(task: Task) -> None:
    world = World(task, np.random.default_rng(10))
    changes = [period for period in range(1, 151) if world.step(task.neutral)]
    assert changes == [75, 150]


def test_starts_differ_and_the_hand_keeps_the_cube(task: Task) -> None:
    """20 of 20 at rest, and 20 of 20 in the palm after a second of neutral control."""
    sides = set()
    for seed in range(20):
        data = mujoco.MjData(task.model)
        task.start(data, np.random.default_rng(seed))
        np.testing.assert_array_equal(data.qvel, np.zeros(task.model.nv))
        data.ctrl[:] = task.neutral
        mujoco.mj_step(task.model, data, 200)
        assert np.linalg.norm(data.body("cube").xpos - data.mocap_pos[0]) < 0.04
        up = data.body("cube").xmat.reshape(3, 3)[2]
        sides.add((int(np.abs(up).argmax()), bool(up[np.abs(up).argmax()] > 0)))
    assert len(sides) >= 5  # of the cube's six faces, on top


def test_the_shipped_settings_turn_the_cube_to_its_first_goal() -> None:
    settings = settings_for("hand_cube")
    task = settings.task
    world = World(task, np.random.default_rng(1))
    planner = Planner(task, settings.planner, seed=1)
    assert task.measured(task.observe(world.state)) > 1.0
    for _ in range(task.goal_period - 1):
        report = planner.plan(world.state, world.data.time)
        world.step(planner.control(report.plan, world.data.time))
        view = task.observe(world.state)
        if task.achieved(view):
            break
    assert task.achieved(view) and task.measured(view) < 0.4
