"""The arm that reaches: model, goals, reward, reference and bad setups, with six and with seven joints."""

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.parameters.schema import build
from polo_ros.tasks.arm_kinematics import ToolPose
from polo_ros.tasks.arm_reach import ArmReach
from polo_ros.tasks.arm_setup import ArmSetup
from polo_ros.tasks.goals import POSE
from polo_ros.tasks.sources import carried_path
from test.support.arms import HOME, arm_xml, write_arm

pytestmark = pytest.mark.skipif(
    carried_path("yam_mj_description") is None,
    reason="the model is that of the package mjlab; `make install` brings it",
)
SEVEN = ArmSetup(joints=("a?",), tool="hand", obstacle_position=(0.5, 0.4, 0.3))


@pytest.fixture(scope="module")
def task() -> ArmReach:
    return ArmReach()


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> ArmReach:
    return ArmReach(write_arm(tmp_path_factory.mktemp("arm")), setup=SEVEN)


def at(task: ArmReach, angles: Array, goal: ToolPose | None = None) -> mujoco.MjData:
    """At rest at joint positions, with a goal, by default the tool's own pose there."""
    data = mujoco.MjData(task.model)
    data.qpos[:] = angles
    goal = goal or task._kinematics.pose(angles)
    task.goals.set_pose(data, goal.position, goal.quaternion)
    return data


def home(task: ArmReach) -> Array:
    return np.array(task.model.key_qpos[task.home_keyframe()])


def terms(task: ArmReach, data: mujoco.MjData) -> dict[str, Array]:
    return task.reward_terms(task.observe(task.state_of(data)))


def test_only_the_joints_of_the_arm_are_left(task: ArmReach) -> None:
    mapping = JointMapping(task.model)
    assert mapping.joint_names == mapping.command_joints == [f"joint{index}" for index in range(1, 7)]
    assert mapping.position_controlled
    np.testing.assert_allclose(task.model.actuator_gainprm[:, 0], task.setup.kp)
    np.testing.assert_allclose(task.model.actuator_forcerange[:, 1], task.setup.effort)
    np.testing.assert_allclose(task.control_high, task.model.jnt_range[:, 1])


def test_nothing_is_lost_at_the_goal(task: ArmReach) -> None:
    data = at(task, home(task))
    assert max(terms(task, data).values()) < 1e-6
    assert task.achieved(task.observe(task.state_of(data)))


def test_each_term_sees_its_fault(task: ArmReach) -> None:
    goal = task._kinematics.pose(home(task))
    shifted = replace(goal, position=goal.position + np.array([0.02, 0.0, 0.0]))
    found = terms(task, at(task, home(task), shifted))
    assert found["position"] == pytest.approx(0.5 * (0.5 + 0.0004 / (0.0004 + 0.04)))
    turned = at(task, home(task), replace(goal, quaternion=np.array([1.0, 0.0, 0.0, 0.0])))
    assert terms(task, turned)["orientation"] > 0.4 and terms(task, turned)["position"] < 1e-6
    assert not task.achieved(task.observe(task.state_of(turned)))
    fast = at(task, home(task))
    fast.qvel[2] = task.limits[2]
    assert terms(task, fast)["speed"] == pytest.approx(0.5) and terms(task, fast)["rest"] > 0.1
    folded = home(task)
    folded[1] = 2.4  # the fingers are in the floor
    assert terms(task, at(task, folded))["touch"] == 1.0


def test_the_obstacle_is_felt_from_its_clearance_on(task: ArmReach) -> None:
    distances = []
    for yaw in np.linspace(0.0, 0.55, 12):
        angles = home(task)
        angles[0] = yaw
        view = task.observe(task.state_of(at(task, angles)))
        distances.append(float(task.obstacle_distance(view)))
    assert distances[0] == task.setup.clearance and distances[-1] < 0.0
    assert (np.diff(distances) <= 0.0).all() and len(set(distances)) > 4
    assert not task.achieved(view) and task.reward_terms(view)["obstacle"] == 1.0


def test_goals_are_tool_poses_that_the_arm_can_take(task: ArmReach) -> None:
    goals = []
    for seed in range(5):
        state = task.start_state(np.random.default_rng(seed))
        goal = task.goal_of(state)
        pose = ToolPose(goal[task.goals.position_entries(POSE)], goal[task.goals.quaternion_entries()])
        angles = task._kinematics.solutions(pose, home(task))[0]
        assert task._kinematics.is_free(angles)
        reached = task._kinematics.pose(angles)
        np.testing.assert_allclose(reached.position, pose.position, atol=1e-3)
        assert abs(reached.quaternion @ pose.quaternion) == pytest.approx(1.0, abs=1e-5)
        goals.append(pose.position)
    assert np.ptp(goals, axis=0).min() > 0.05


def follow(task: ArmReach, real: ArmReach, seed: int, seconds: float) -> Array:
    """The states of an arm that the reference alone moves, (n, state_size)."""
    world = World(real, np.random.default_rng(seed))
    substeps = round(task.timestep / real.model.opt.timestep)
    states = []
    for _ in range(round(seconds / task.timestep)):
        controls = task.reference_controls(world.state[None], np.arange(3) * task.timestep)[0, 0]
        world.step(np.clip(controls, task.control_low, task.control_high), substeps)
        states.append(world.state)
    return np.array(states)


def test_the_reference_alone_goes_round_the_obstacle(task: ArmReach) -> None:
    """With seed 303 the straight way in joint space leads through the post."""
    real = ArmReach(setup=replace(task.setup, timestep=0.002))
    states = follow(task, real, 303, 3.0)
    view = real.observe(states)
    assert real.achieved(view)[-1]
    assert real.obstacle_distance(view).min() > 0.03
    assert (np.abs(states[:, 6:12]) < task.limits).all()
    for contact in ("self_contact", "world_contact"):
        assert not view.sensor(contact)[:, 0].any()


def test_a_path_is_kept_until_goal_or_arm_are_elsewhere(task: ArmReach) -> None:
    state = task.start_state(np.random.default_rng(1))
    goal = task.goal_of(state)
    pose = ToolPose(goal[:3], goal[3:7])
    path = task._reference.path(pose, state[:6])
    middle = path.at(np.array([0.5 * path.duration]))[0]
    assert task._reference.path(pose, middle) is path
    assert path.nearest(middle) == (
        pytest.approx(0.5 * path.duration, abs=0.02),
        pytest.approx(0.0, abs=0.01),
    )
    elsewhere = task._reference.path(pose, path.points[0] + 0.5)
    assert elsewhere is not path
    # a reference for another state does not change that of the arm
    assert task._reference.path(pose, middle) is path
    assert task._reference.path(pose, elsewhere.points[0]) is elsewhere


def test_a_goal_out_of_reach_is_approached(task: ArmReach) -> None:
    far = ToolPose(np.array([-2.0, 0.0, 0.5]), np.array([1.0, 0.0, 0.0, 0.0]))
    state = task.state_of(at(task, home(task), far))
    controls = task.reference_controls(state[None], np.arange(3) * task.timestep)
    end = task._reference.path(far, state[:6]).points[-1]
    assert np.isfinite(controls).all()
    assert np.linalg.norm(task._kinematics.pose(end).position - far.position) < 1.9


def test_an_arm_of_seven_joints_keeps_its_servos_and_its_home(seven: ArmReach) -> None:
    model = seven.model
    assert (model.nq, model.nu, model.nkey, model.ntendon) == (7, 7, 1, 0)
    np.testing.assert_allclose(home(seven), HOME)
    np.testing.assert_allclose(model.actuator_gainprm[:, 0], 200.0)
    np.testing.assert_allclose(seven.control_high, np.radians(160.0))
    assert seven.feature_count == 24
    states = follow(seven, seven, 2, 3.0)
    assert seven.achieved(seven.observe(states))[-1]


def test_motors_become_servos(tmp_path: Path) -> None:
    xml = arm_xml('<motor name="motor{0}" joint="a{0}" gear="2" ctrlrange="-10 10"/>')
    setup = replace(SEVEN, kp=(100.0,), kd=(5.0,), effort=(50.0,), armature=(0.01,))
    model = ArmReach(write_arm(tmp_path, xml), setup=setup).model
    np.testing.assert_allclose(model.actuator_gainprm[:, 0], 100.0)
    np.testing.assert_allclose(model.actuator_forcerange[:, 1], 20.0)
    np.testing.assert_allclose(model.dof_armature, 0.01)


def test_a_velocity_goal_is_refused(task: ArmReach) -> None:
    with pytest.raises(PoloError, match="arm_reach has no velocity goal to set; it has a pose goal"):
        World(task, np.random.default_rng(0)).set_velocity_goal(np.zeros(3))


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ({"joints": ("joint1", "joint7")}, "no hinge or slide joint named 'joint7'"),
        ({"joints": ("joint[1-5]",)}, "an arm has 6 or 7 joints, but setup.joints matches 5: joint1, "),
        ({"tool": "grasp_cite"}, r"no tool \(site or body\) named 'grasp_cite'.*grasp_site"),
        ({"kp": (1.0, 2.0)}, "setup.kp has an entry for each of 6 joints or one, not 2"),
        ({"home_pose": (0.0, -1.0, 1.0, 0.0, 0.0, 0.0)}, "joint 'joint2' at -1, outside its range 0 … 3.67"),
        ({"obstacle_size": (0.1, -0.1, 0.1)}, "the edges of setup.obstacle_size are above 0 m, not -0.1"),
        ({"obstacle_position": (0.1, 0.1)}, "obstacle_position has three entries, along x, y and z, not 2"),
        ({"obstacle_position": (0.0, 0.0, 0.4), "obstacle_size": (1.5, 1.5, 0.5)}, "no reachable goal"),
    ],
)  # fmt: skip
def test_a_setup_that_does_not_fit_is_refused(setup: dict[str, object], sentence: str) -> None:
    with pytest.raises(PoloError, match=f"does not fit task arm_reach: .*{sentence}"):
        ArmReach(setup=replace(ArmSetup(), **setup))


def test_a_negative_size_is_refused_as_a_parameter() -> None:
    with pytest.raises(PoloError, match=r"obstacle_size must lie in .* not -0.1"):
        build(ArmSetup, {"obstacle_size": [0.1, -0.1, 0.1]})


@pytest.mark.parametrize(
    ("servo", "sentence"),
    [
        ('<velocity name="v3" joint="a3" kv="5"/>', "'v3' of joint 'a3' is neither a motor nor a position"),
        ("", "joint 'a3' has no actuator, but other joints of the arm have one"),
    ],
)  # fmt: skip
def test_actuators_that_do_not_fit_are_refused(tmp_path: Path, servo: str, sentence: str) -> None:
    xml = arm_xml().replace('<position name="servo3" joint="a3" kp="200" kv="20"/>', servo)
    with pytest.raises(PoloError, match=sentence):
        ArmReach(write_arm(tmp_path, xml), setup=SEVEN)


def test_a_joint_without_limits_is_refused(tmp_path: Path) -> None:
    xml = arm_xml().replace('axis="0 0 1" range="-160 160"', 'axis="0 0 1"', 1)
    with pytest.raises(PoloError, match="joint 'a1' has no limits"):
        ArmReach(write_arm(tmp_path, xml), setup=SEVEN)
