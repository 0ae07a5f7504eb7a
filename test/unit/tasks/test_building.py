"""Sensors, floor, goals and keyframes that are added to a model as published."""

import mujoco
import numpy as np
import pytest

from polo_ros.errors import PoloError
from polo_ros.tasks import View, features
from polo_ros.tasks.building import (
    add_floor,
    add_foot_contacts,
    add_frame_sensors,
    add_joint_sensors,
    add_keyframe,
    add_pose_goal,
    add_site_sensors,
    collide_only,
)
from test.support.quadruped import FEET, FOOT_RADIUS, HOME, Trot, quadruped

TURN = np.array([0.7, 0.3, -0.5, 0.4])
TURN /= np.linalg.norm(TURN)


@pytest.fixture(scope="module")
def task() -> Trot:
    return Trot()


def moved(task: Trot) -> mujoco.MjData:
    """The robot in the air, tilted and in motion."""
    data = mujoco.MjData(task.model)
    rng = np.random.default_rng(1)
    data.qpos[:7] = [1.0, 2.0, 3.0, *TURN]
    data.qpos[7:] = HOME[7:] + 0.1 * rng.standard_normal(8)
    data.qvel[:] = rng.standard_normal(14)
    mujoco.mj_forward(task.model, data)
    return data


def view_of(task: Trot, data: mujoco.MjData) -> View:
    return task.observe(task.state_of(data))


def test_the_base_is_read_in_its_own_frame_and_not_in_that_of_its_inertia(task: Trot) -> None:
    data = moved(task)
    view, trunk = view_of(task, data), data.body("trunk")
    turn = trunk.xmat.reshape(3, 3)
    assert not np.allclose(trunk.xmat, trunk.ximat), "the inertial frame must be another one"
    np.testing.assert_allclose(features.position(view, "trunk"), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(features.orientation(view, "trunk"), TURN)
    np.testing.assert_allclose(features.linear_velocity(view, "trunk"), turn.T @ data.qvel[:3])
    np.testing.assert_allclose(features.angular_velocity(view, "trunk"), data.qvel[3:6])
    np.testing.assert_allclose(features.projected_gravity(view, "trunk"), turn.T @ [0.0, 0.0, -1.0])


def test_the_heading_velocity_is_that_of_the_level_frame(task: Trot) -> None:
    data = moved(task)
    view, turn = view_of(task, data), data.body("trunk").xmat.reshape(3, 3)
    yaw = np.arctan2(turn[1, 0], turn[0, 0])
    np.testing.assert_allclose(features.heading(view, "trunk"), yaw)
    ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    left = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    wanted = [data.qvel[:3] @ ahead, data.qvel[:3] @ left, (turn @ data.qvel[3:6])[2]]
    np.testing.assert_allclose(features.heading_velocity(view, "trunk"), wanted)


def test_joints_are_read_by_name(task: Trot) -> None:
    data = moved(task)
    view = view_of(task, data)
    assert task.joints == [f"{foot}_{part}" for foot in FEET for part in ("hip", "knee")]
    np.testing.assert_allclose(features.joint_positions(view, task.joints), data.qpos[7:])
    np.testing.assert_allclose(features.joint_velocities(view, task.joints), data.qvel[6:])


def test_feet_are_read_at_their_soles(task: Trot) -> None:
    data = moved(task)
    view = view_of(task, data)
    soles = np.array([data.geom(foot).xpos for foot in FEET]) - [0.0, 0.0, FOOT_RADIUS]
    np.testing.assert_allclose(features.foot_positions(view, FEET), soles)
    np.testing.assert_allclose(features.foot_heights(view, FEET), soles[:, 2])
    assert not features.foot_contacts(view, FEET).any()
    assert not features.foot_forces(view, FEET).any()
    later = mujoco.MjData(task.model)
    mujoco.mj_setState(task.model, later, *physics(task, data))
    mujoco.mj_integratePos(task.model, later.qpos, data.qvel, 1e-6)
    mujoco.mj_forward(task.model, later)
    way = np.array([later.geom(foot).xpos - data.geom(foot).xpos for foot in FEET])
    np.testing.assert_allclose(features.foot_velocities(view, FEET), way / 1e-6, atol=1e-4)


def physics(task: Trot, data: mujoco.MjData) -> tuple[np.ndarray, int]:
    spec = int(mujoco.mjtState.mjSTATE_PHYSICS)
    state = np.empty(mujoco.mj_stateSize(task.model, spec))
    mujoco.mj_getState(task.model, data, state, spec)
    return state, spec


def test_standing_feet_carry_the_weight(task: Trot) -> None:
    data = mujoco.MjData(task.model)
    task.start(data, np.random.default_rng(0))
    data.ctrl[:] = task.neutral
    mujoco.mj_step(task.model, data, 400)
    view = view_of(task, data)
    observed = task.observe(task.state_of(data), data.ctrl)
    assert features.foot_contacts(view, FEET).all()
    weight = task.model.body_subtreemass[0] * 9.81
    np.testing.assert_allclose(features.foot_forces(observed, FEET).sum(axis=0), [0, 0, weight], atol=1.0)
    np.testing.assert_allclose(features.foot_heights(view, FEET), 0.0, atol=2e-3)


def test_features_keep_the_shape_of_the_view(task: Trot) -> None:
    states = np.tile(task.start_state(np.random.default_rng(0)), (2, 3, 1))
    view = task.observe(states)
    assert features.heading_velocity(view, "trunk").shape == (2, 3, 3)
    assert features.projected_gravity(view, "trunk").shape == (2, 3, 3)
    assert features.foot_heights(view, FEET).shape == (2, 3, 4)
    assert features.foot_contacts(view, FEET).shape == (2, 3, 4)
    assert features.foot_forces(view, FEET).shape == (2, 3, 4, 3)
    assert features.velocity_goal(view).shape == (2, 3, 3)
    assert task.reward(view).shape == (2, 3)


def test_a_foot_may_be_a_site_or_a_body() -> None:
    spec = quadruped()
    add_floor(spec)
    add_foot_contacts(spec, ["FL_sole", "FR_shank"])
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    data.qpos[2] -= 0.02  # into the floor
    mujoco.mj_forward(model, data)
    assert data.sensor("FL_sole_foot_position").data == pytest.approx(data.site("FL_sole").xpos)
    assert data.sensor("FR_shank_foot_position").data == pytest.approx(data.body("FR_shank").xpos)
    assert data.sensor("FL_sole_foot_contact").data[0] >= 1
    assert data.sensor("FR_shank_foot_contact").data[0] >= 1


def test_a_model_with_a_floor_keeps_it() -> None:
    spec = quadruped()
    add_floor(spec, friction=0.5)
    add_floor(spec)
    assert [geom.name for geom in spec.worldbody.geoms] == ["floor"]
    assert spec.compile().geom("floor").friction[0] == 0.5


def test_a_site_and_a_goal_are_read_in_the_world() -> None:
    spec = quadruped()
    add_site_sensors(spec, "FL_sole")
    add_pose_goal(spec, (1.0, 2.0, 3.0))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    assert data.sensor("FL_sole_position").data == pytest.approx(data.site("FL_sole").xpos)
    data.mocap_pos[0] = [4.0, 5.0, 6.0]
    mujoco.mj_forward(model, data)
    assert data.sensor("goal_position").data.tolist() == [4.0, 5.0, 6.0]
    assert data.sensor("goal_orientation").data.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert not any(1 in (contact.geom1, contact.geom2) for contact in data.contact)


def test_a_keyframe_is_made_from_patterns() -> None:
    spec = quadruped()
    add_keyframe(spec, "crouch", {"*_knee": -1.5, "F*_hip": 0.7}, base=(0.0, 0.0, 0.2))
    model = spec.compile()
    qpos = model.key("crouch").qpos
    assert qpos[:7].tolist() == [0.0, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0]
    assert qpos[7:].tolist() == [0.7, -1.5, 0.7, -1.5, 0.0, -1.5, 0.0, -1.5]


def test_only_named_geoms_keep_their_contacts() -> None:
    spec = quadruped()
    add_floor(spec)
    collide_only(spec, [*FEET, "trunk"])
    model = spec.compile()
    touching = {model.geom(i).name for i in np.flatnonzero(model.geom_contype)}
    assert touching == {"floor", "shell", *FEET}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda spec: add_frame_sensors(spec, "trunc"), r"no body named 'trunc'; did you mean trunk\?"),
        (lambda spec: add_foot_contacts(spec, ["LF"]), r"no foot \(geom, site or body\) named 'LF'"),
        (lambda spec: add_foot_contacts(spec, ["FL_shan"]), r"did you mean FL_shank\?"),
        (lambda spec: add_joint_sensors(spec, "*_ankle"), r"no hinge or slide joint named '\*_ankle'"),
        (
            lambda spec: add_site_sensors(spec, "FL_soles"),
            r"no site named 'FL_soles'; did you mean FL_sole\?",
        ),
        (lambda spec: collide_only(spec, ["foot*"]), r"no geom or body named 'foot\*'"),
        (lambda spec: add_keyframe(spec, "x", {"toe": 1.0}), r"no hinge or slide joint named 'toe'"),
    ],
)
def test_unknown_names_are_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PoloError, match=message):
        change(quadruped())


def test_a_keyframe_with_a_base_needs_a_free_joint() -> None:
    spec = mujoco.MjSpec.from_string(
        "<mujoco><worldbody><body><joint name='j'/><geom size='0.1'/></body></worldbody></mujoco>"
    )
    with pytest.raises(PoloError, match="gives the pose of a base, but the model has no free joint"):
        add_keyframe(spec, "home", {"j": 1.0}, base=(0.0, 0.0, 1.0))
