"""The humanoid robot that stands and walks: model, reward, predicted steps, bad setups, on a Unitree G1."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks import features
from polo_ros.tasks.humanoid_setup import HumanoidSetup
from polo_ros.tasks.humanoid_stand_walk import HumanoidStandWalk
from polo_ros.tasks.sources import carried_path
from polo_ros.tasks.stepping import Stance
from polo_ros.tasks.view import View

pytestmark = pytest.mark.skipif(
    carried_path("g1_mj_description") is None,
    reason="the model is that of the package mjlab; `make install` brings it",
)
LEFT, RIGHT = 0, 1


@pytest.fixture(scope="module")
def task() -> HumanoidStandWalk:
    return HumanoidStandWalk()


@pytest.fixture(scope="module")
def real() -> HumanoidStandWalk:
    """With every contact of the model and small steps, as the simulator has it."""
    return HumanoidStandWalk(setup=HumanoidSetup(timestep=0.002, simple_contacts=False))


def at_home(task: HumanoidStandWalk, goal: tuple[float, ...] = (0.0, 0.0, 0.0)) -> mujoco.MjData:
    data = mujoco.MjData(task.model)
    mujoco.mj_resetDataKeyframe(task.model, data, task.home_keyframe())
    data.qpos[2] -= task.setup.crouch
    task.goals.set_velocity(data, np.array(goal))
    return data


def terms(task: HumanoidStandWalk, data: mujoco.MjData) -> dict[str, Array]:
    return task.reward_terms(task.observe(task.state_of(data)))


def controlled(task: HumanoidStandWalk, real: HumanoidStandWalk, data: mujoco.MjData, seconds: float) -> View:
    """The reference alone moves the robot, from new predictions every control period; the last sensors."""
    for _ in range(round(seconds / task.timestep)):
        state = real.state_of(data)
        data.ctrl[:] = task.reference_controls(state[None], np.arange(3) * task.timestep)[0, 0]
        mujoco.mj_step(real.model, data, round(task.timestep / real.model.opt.timestep))
    return real.observe(real.state_of(data))


def test_the_home_pose_stands_still_under_its_servos(real: HumanoidStandWalk) -> None:
    data = at_home(real)
    data.ctrl[:] = real.neutral
    mujoco.mj_step(real.model, data, 500)
    view = real.observe(real.state_of(data))
    assert features.foot_contacts(view, real._feet).all()
    assert np.linalg.norm(data.qvel[:3]) < 0.05 and real._tilt(view, "pelvis") < 0.001


def test_standing_is_the_best_where_the_goal_is_zero(task: HumanoidStandWalk) -> None:
    found = terms(task, at_home(task))
    assert max(found.values()) < 0.12, found  # soles are in the floor by the crouch
    data = at_home(task)
    data.qvel[0] = 0.5
    moving = terms(task, data)
    assert moving["velocity"] > 0.5 and moving["capture"] > 0.5
    data = at_home(task)
    data.qpos[3:7] = np.cos(0.2), np.sin(0.2), 0.0, 0.0
    leaning = terms(task, data)
    assert leaning["upright"] > 0.4 and leaning["flat"] > 0.4
    data = at_home(task)
    data.qpos[2] -= 0.2
    assert terms(task, data)["height"] > 0.7


def test_walking_as_the_goal_says_earns_more_than_standing(task: HumanoidStandWalk) -> None:
    standing = at_home(task, (0.3, 0.0, 0.0))
    walking = at_home(task, (0.3, 0.0, 0.0))
    walking.qvel[0] = 0.3
    for name in ("velocity", "capture"):
        assert terms(task, walking)[name] < terms(task, standing)[name], name
    # in the middle of the right foot's swing
    swing = 0.5 * (task.gait.duty - 0.5 + 0.5) * task.gait.period
    standing.time = swing
    lifted = at_home(task, (0.3, 0.0, 0.0))
    lifted.time = swing
    legs = task._servos.legs
    places = legs.places.copy()
    places[RIGHT, 2] += task.setup.gait_height
    lifted.qpos[task.model.jnt_qposadr[legs.joints]] = legs.angles(places, np.zeros(2))
    assert terms(task, lifted)["gait"] < terms(task, standing)["gait"]


def test_soles_reach_where_they_should(task: HumanoidStandWalk) -> None:
    legs, rng = task._servos.legs, np.random.default_rng(0)
    places = legs.places + rng.uniform([-0.2, -0.08, 0.02], [0.2, 0.08, 0.1], (20, 2, 3))
    angles = legs.angles(places, np.full((20, 2), 0.1))
    data = mujoco.MjData(task.model)
    for wanted, found in zip(places, angles, strict=True):
        data.qpos[:] = task.home_positions
        data.qpos[task.model.jnt_qposadr[legs.joints]] = found
        mujoco.mj_forward(task.model, data)
        view = task.observe(task.state_of(data))
        reached = features.foot_positions(view, task._feet) - data.qpos[:3]
        np.testing.assert_allclose(reached, wanted, atol=0.01)
        assert features.heading(view, task.setup.feet[LEFT]) == pytest.approx(0.1, abs=0.02)


def footholds(task: HumanoidStandWalk, velocity: tuple[float, float], goal: tuple[float, float]) -> Array:
    """Where the right foot lands, (2,), in m, in a step that begins on both feet."""
    stance = Stance(
        centre=np.array([[0.04, 0.0]]),
        velocity=np.array([velocity]),
        feet=np.array([[[0.0, 0.1], [0.0, -0.1]]]),
        yaws=np.zeros((1, 2)),
        goal=np.array([[*goal, 0.0]]),
        clock=np.zeros(1),
    )
    times = np.linspace(0.0, 0.5 * task.gait.period - 1e-6, 30)
    return task._stepper.walk(stance, times).feet[0, -1, RIGHT, :2]


def test_feet_land_further_where_the_robot_is_pushed_or_told_to_go(task: HumanoidStandWalk) -> None:
    still = footholds(task, (0.0, 0.0), (0.0, 0.0))
    assert footholds(task, (0.5, 0.0), (0.0, 0.0))[0] > still[0] + 0.05
    assert footholds(task, (-0.5, 0.0), (0.0, 0.0))[0] < still[0] - 0.05
    assert footholds(task, (0.0, -0.3), (0.0, 0.0))[1] < still[1] - 0.05
    assert footholds(task, (0.3, 0.0), (0.3, 0.0))[0] > still[0] + 0.05


def test_predicted_steps_alone_stand_against_a_push(task: HumanoidStandWalk, real: HumanoidStandWalk) -> None:
    data = at_home(real)
    data.qvel[0] = 0.2  # 7 N·s
    view = controlled(task, real, data, 2.0)
    assert real._tilt(view, "pelvis") < 0.01 and np.linalg.norm(data.qvel[:2]) < 0.1


def test_predicted_steps_alone_walk(task: HumanoidStandWalk, real: HumanoidStandWalk) -> None:
    data = at_home(real, (0.3, 0.0, 0.0))
    view = controlled(task, real, data, 2.0)
    assert data.qpos[0] > 0.3 and abs(data.qpos[1]) < 0.3
    assert real._tilt(view, "pelvis") < 0.05


def test_held_joints_stay_where_they_are_at_home(task: HumanoidStandWalk) -> None:
    held = [index for index in range(task.model.nu) if "wrist" in task.model.actuator(index).name]
    assert len(held) == 6
    assert (task.noise_scale[held] <= 0.01).all()
    np.testing.assert_allclose(task.neutral[held], 0.0)


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ({"feet": ("left_ankle_roll_link", "right_foot")}, "no body named 'right_foot'"),
        ({"feet": ("left_ankle_roll_link",)}, "setup.feet are the bodies of two feet"),
        ({"base": "pelvic"}, "no body named 'pelvic'.*pelvis"),
        ({"kp": (200.0, 100.0)}, "setup.kp has five entries, for hips, knees, ankles, waist and arms, not 2"),
        ({"held": ("wirst_*",)}, r"no hinge or slide joint named 'wirst_\*'"),
        ({"feet": ("left_wrist_yaw_link", "right_wrist_yaw_link")}, "does not have six hinges"),
    ],
)
def test_a_setup_that_does_not_fit_is_refused(setup: dict[str, object], sentence: str) -> None:
    with pytest.raises(PoloError, match=f"does not fit task humanoid_stand_walk: .*{sentence}"):
        HumanoidStandWalk(setup=replace(HumanoidSetup(), **setup))
