"""The humanoid: the paper's robot, its 34 numbers, the rewards of appendix A.1 and the start."""

import mujoco
import numpy as np
import pytest
from humanoids import control_cost, features_of, mirrored, mirrored_features, random_states, split

from polo_ros.tasks import Task, make_task

GEARS = {
    "abdomen_x": 200, "abdomen_y": 200, "abdomen_z": 200, "hip_x": 200, "hip_z": 200, "hip_y": 600,
    "knee": 400, "ankle_x": 100, "ankle_y": 100, "shoulder1": 100, "shoulder2": 100, "elbow": 200,
}  # fmt: skip
# of dm_control's humanoid, in kg
MASSES = {
    "torso": 5.8538, "head": 3.0536, "waist": 2.2619, "pelvis": 6.6162, "thigh": 4.7518, "shin": 2.7557,
    "foot": 1.1311, "upper_arm": 1.6611, "lower_arm": 0.9615, "hand": 0.2681,
}  # fmt: skip


def test_degrees_of_freedom_motors_and_timestep(humanoid_getup: Task) -> None:
    model = humanoid_getup.model
    assert (model.nv, model.nu, model.nq) == (27, 21, 28)
    assert humanoid_getup.timestep == 0.008
    assert humanoid_getup.control_low.tolist() == [-1.0] * 21
    assert humanoid_getup.control_high.tolist() == [1.0] * 21


def test_gears_are_those_of_the_paper(humanoid_getup: Task) -> None:
    model = humanoid_getup.model
    for index in range(model.nu):
        name = model.actuator(index).name
        joint = model.joint(int(model.actuator_trnid[index, 0])).name
        assert joint == name
        kind = name.removeprefix("right_").removeprefix("left_")
        assert model.actuator_gear[index].tolist() == [GEARS[kind], 0, 0, 0, 0, 0]


def test_masses_agree_with_the_humanoid_of_dm_control(humanoid_getup: Task) -> None:
    suite = pytest.importorskip("dm_control.suite.humanoid", reason="dm_control is not installed")
    xml, assets = suite.get_model_and_assets()
    reference = mujoco.MjModel.from_xml_string(xml.decode(), assets)
    theirs = {reference.body(i).name: reference.body_mass[i] for i in range(1, reference.nbody)}
    theirs["waist"] = theirs.pop("lower_waist")
    model = humanoid_getup.model
    ours = {model.body(i).name: model.body_mass[i] for i in range(1, model.nbody)}
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_masses_and_head(humanoid_getup: Task) -> None:
    model = humanoid_getup.model
    for index in range(1, model.nbody):
        kind = model.body(index).name.removeprefix("right_").removeprefix("left_")
        assert model.body_mass[index] == pytest.approx(MASSES[kind], abs=1e-3)
    assert model.body_mass.sum() == pytest.approx(40.844, abs=1e-3)
    assert model.geom("head").size[0] == 0.09


def test_the_features_are_34_finite_numbers_of_moderate_size(humanoid_getup: Task) -> None:
    assert humanoid_getup.feature_count == 34
    features = features_of(humanoid_getup, random_states(humanoid_getup, 50, (0.0, 1.4), seed=1))
    assert features.shape == (50, 34)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(np.linalg.norm(features[:, :3], axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(features[:, 3:6], axis=1), 1.0, rtol=1e-9)
    touch = features[:, 29:]
    assert (touch >= 0).all() and (touch < 1).all() and (touch > 0).any()


def test_features_of_a_known_pose(humanoid_getup: Task) -> None:
    data = mujoco.MjData(humanoid_getup.model)  # standing upright, facing x
    data.qpos[2] = 2.0
    data.qvel[:6] = [1, 2, 3, 0.4, 0.5, 0.6]
    features = features_of(humanoid_getup, humanoid_getup.state_of(data))
    np.testing.assert_allclose(features[:6], [1, 0, 0, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(features[6:9], [0.36, -0.17 - 0.18 + 0.18, 0.06 - 0.1], atol=1e-12)
    np.testing.assert_allclose(features[9:12], [0.36, 0.17, -0.04], atol=1e-12)
    np.testing.assert_allclose(features[12:15], [0, 0.01, -0.793], atol=1e-12)
    assert features[18] == 2.0
    np.testing.assert_allclose(features[23:29], [1, 2, 3, 0.4, 0.5, 0.6], atol=1e-12)
    assert features[29:].tolist() == [0.0] * 5


@pytest.mark.parametrize("yaw", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("velocity", [(0.0, 0.0), (0.4, 0.0), (-0.1, 0.5), (9.0, 0.0)])
def test_balance_is_the_distance_of_the_capture_point_from_the_feet(
    humanoid_getup: Task, yaw: float, velocity: tuple[float, float]
) -> None:
    data = mujoco.MjData(humanoid_getup.model)
    data.qpos[:7] = [5.0, -7.0, 2.0, np.cos(0.5 * yaw), 0.0, 0.0, np.sin(0.5 * yaw)]
    data.qvel[:2] = velocity  # a free joint's linear velocity is in the world's axes
    mujoco.mj_forward(humanoid_getup.model, data)
    feet = 0.5 * (data.sensor("right_foot_position").data + data.sensor("left_foot_position").data)
    capture = data.qpos[:2] + np.array(velocity) * (2.0 / 9.81) ** 0.5
    expected = min(float(((capture - feet[:2]) ** 2).sum()), 1.0)
    terms = humanoid_getup.reward_terms(humanoid_getup.observe(humanoid_getup.state_of(data)))
    assert terms["balance"] == pytest.approx(expected, abs=1e-9)
    assert expected > 0.0 or velocity == (0.0, 0.0)


def test_balance_fades_out_near_the_ground(humanoid_getup: Task) -> None:
    data = mujoco.MjData(humanoid_getup.model)
    shares = []
    for height in (2.0, 1.1, 0.55, 0.0, -0.1):
        data.qpos[2], data.qvel[0] = height, 90.0  # beyond the largest distance
        view = humanoid_getup.observe(humanoid_getup.state_of(data))
        shares.append(float(humanoid_getup.reward_terms(view)["balance"]))
    assert shares == pytest.approx([1.0, 1.0, 0.25, 0.0, 0.0])


def test_a_mirrored_pose_has_mirrored_features(humanoid_getup: Task) -> None:
    for state in random_states(humanoid_getup, 20, (3.0, 4.0), seed=2):
        features = features_of(humanoid_getup, state)
        twin = features_of(humanoid_getup, mirrored(humanoid_getup, state))
        np.testing.assert_allclose(twin, mirrored_features(features), atol=1e-9)


def test_touch_is_mirrored_too(humanoid_getup: Task) -> None:
    """One foot deep in the ground, the other in the air."""
    data = mujoco.MjData(humanoid_getup.model)
    data.qpos[2] = 1.28
    data.joint("left_knee").qpos = -1.5
    state = humanoid_getup.state_of(data)
    features = features_of(humanoid_getup, state)
    assert features[32] > 0.3 and features[33] == 0.0
    twin = features_of(humanoid_getup, mirrored(humanoid_getup, state))
    np.testing.assert_allclose(twin, mirrored_features(features), atol=1e-6)


def test_where_in_the_plane_the_robot_is_does_not_matter(humanoid_getup: Task) -> None:
    for state in random_states(humanoid_getup, 10, (3.0, 4.0), seed=3):
        moved = state.copy()
        moved[:2] += [5.0, -7.0]
        np.testing.assert_allclose(
            features_of(humanoid_getup, moved), features_of(humanoid_getup, state), atol=1e-12
        )


def test_heading_changes_the_axes_of_the_torso_alone(humanoid_getup: Task) -> None:
    turn = np.array([np.cos(0.6), 0.0, 0.0, np.sin(0.6)])  # by 1.2 rad about the vertical
    rotation = np.array([[np.cos(1.2), -np.sin(1.2), 0], [np.sin(1.2), np.cos(1.2), 0], [0, 0, 1]])
    for state in random_states(humanoid_getup, 10, (3.0, 4.0), seed=4):
        qpos, qvel = split(humanoid_getup, state)
        mujoco.mju_mulQuat(qpos[3:7], turn, state[3:7])
        qvel[:3] = rotation @ qvel[:3]  # MuJoCo: world frame; the angular velocity is in the body's
        turned = features_of(humanoid_getup, np.concatenate([qpos, qvel]))
        features = features_of(humanoid_getup, state)
        np.testing.assert_allclose(turned[6:], features[6:], atol=1e-9)
        np.testing.assert_allclose(turned[:3], rotation @ features[:3], atol=1e-9)


@pytest.mark.parametrize("name", ["humanoid_getup", "humanoid_getup_sparse"])
@pytest.mark.parametrize("torque_scale", [1.0, 0.2])
def test_the_reward_is_that_of_appendix_a_1(name: str, torque_scale: float) -> None:
    task = make_task(name, torque_scale=torque_scale)
    states = random_states(task, 40, (0.0, 1.6), seed=5)
    assert 5 < (states[:, 2] > 1.1).sum() < 35
    controls = np.random.default_rng(6).uniform(-1, 1, (40, task.model.nu))
    rewards = task.reward(task.observe(states, controls))
    for state, ctrl, reward in zip(states, controls, rewards, strict=True):
        root_z = float(state[2])
        if name == "humanoid_getup":
            expected = 1.0 - (1.1 - root_z) if root_z <= 1.1 else 1.0
        else:
            expected = 0.0 if root_z <= 1.1 else 1.0
        expected -= 0.02 * control_cost(task.model, ctrl)
        assert reward == pytest.approx(expected, abs=1e-9)


def test_the_control_cost_is_one_for_a_typical_full_effort(humanoid_getup: Task) -> None:
    """Its mean over independent signs is the metric's trace, which is one."""
    rng = np.random.default_rng(7)
    controls = rng.choice([-1.0, 1.0], (4000, humanoid_getup.model.nu))
    view = humanoid_getup.view(np.zeros((4000, humanoid_getup.model.nsensordata)), controls)
    cost = humanoid_getup.reward_terms(view)["control"]
    assert cost.mean() == pytest.approx(1.0, abs=4 * cost.std() / np.sqrt(4000))
    assert (cost > 0).all()


def test_the_supine_keyframe_is_at_rest_on_the_back(humanoid_getup: Task) -> None:
    model, data = humanoid_getup.model, mujoco.MjData(humanoid_getup.model)
    key = model.key("supine")
    mujoco.mj_resetDataKeyframe(model, data, key.id)
    speed = 0.0
    for _ in range(250):
        mujoco.mj_step(model, data)
        speed = max(speed, float(np.abs(data.qvel).max()))
    assert speed < 0.01  # rad/s and m/s, over two seconds without torque
    assert np.abs(data.qpos - key.qpos).max() < 0.01
    assert data.qpos[2] == pytest.approx(0.09, abs=0.005)
    assert data.sensor("torso_forward").data[2] > 0.99  # the chest looks up


def test_start_states_are_supine_with_small_differences(humanoid_getup: Task) -> None:
    supine = humanoid_getup.model.key("supine").qpos
    rng = np.random.default_rng(8)
    joints = []
    for _ in range(20):
        qpos, qvel = split(humanoid_getup, humanoid_getup.start_state(rng))
        np.testing.assert_array_equal(qpos[:7], supine[:7])
        np.testing.assert_array_equal(qvel, np.zeros(27))
        joints.append(qpos[7:] - supine[7:])
    assert 0.015 < np.abs(joints).max() <= 0.02
    assert (np.std(joints, axis=0) > 0).all()


def test_standing_achieves_the_task_and_sitting_leaping_or_leaning_does_not(humanoid_getup: Task) -> None:
    data = mujoco.MjData(humanoid_getup.model)
    heights = np.array([0.09, 0.6, 0.99, 1.01, 1.285, 1.6, 1.285])
    states = np.tile(humanoid_getup.state_of(data), (len(heights), 1))
    states[:, 2] = heights
    states[-1, 3:7] = [np.cos(0.5), 0.0, np.sin(0.5), 0.0]  # leaning by one radian
    achieved = humanoid_getup.achieved(humanoid_getup.observe(states))
    assert achieved.tolist() == [False, False, False, True, True, False, False]
