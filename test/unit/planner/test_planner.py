"""The receding-horizon planner: bad states, repeatability, and what a report holds."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from planners import START, planner_for, shifted, start
from solvers import NOISES, hopeless

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Plan, Planner
from polo_ros.planner.value import Layer, ValueEnsemble, optimistic
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.state import set_state


def ensemble(task: Task) -> ValueEnsemble:
    rng, features = np.random.default_rng(2), task.feature_count
    layers = (Layer(rng.standard_normal((4, features, 1)), rng.standard_normal((4, 1, 1))),)
    return ValueEnsemble(layers, layers, np.zeros(features), np.ones(features), 10.0, 5.0, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_refused(cartpole: Task, bad: float) -> None:
    state = start(cartpole)
    state[2] = bad
    with pytest.raises(PoloError, match=f"entry 2 of the state is {bad}; a state must be finite"):
        planner_for(cartpole).plan(state, START)


@pytest.mark.parametrize("shape", [(0,), (3,), (5,), (1, 4)])
def test_a_state_of_another_size_is_refused(cartpole: Task, shape: tuple[int, ...]) -> None:
    with pytest.raises(PoloError, match="a state of cartpole_swingup has 4 numbers, not") as caught:
        planner_for(cartpole).plan(np.zeros(shape), START)
    assert str(shape) in str(caught.value)


def test_a_refused_state_leaves_no_trace(cartpole: Task) -> None:
    disturbed, quiet = planner_for(cartpole), planner_for(cartpole)
    for planner in (disturbed, quiet):
        planner.plan(start(cartpole), START)
    for bad in (np.full(4, np.nan), np.zeros(3)):
        with pytest.raises(PoloError):
            disturbed.plan(bad, START + 0.01)
    plans = [planner.plan(start(cartpole), START + 0.02).plan for planner in (disturbed, quiet)]
    np.testing.assert_array_equal(plans[0].knots, plans[1].knots)
    assert plans[0].sequence == plans[1].sequence == 2


@pytest.mark.parametrize("noise", NOISES)
def test_when_all_rollouts_diverge_the_last_good_plan_goes_on(cartpole: Task, noise: str) -> None:
    planner = planner_for(cartpole, noise=noise)
    planner.value = ensemble(cartpole)
    good = planner.plan(start(cartpole), START)
    assert good.valid_rollouts == 10
    lost = planner.plan(hopeless(cartpole), START + 0.04)
    assert (lost.valid_rollouts, lost.effective_sample_size, lost.best_return) == (0, 0.0, -np.inf)
    spacing = lost.plan.spacing * np.arange(len(lost.plan.knots), dtype=float)
    np.testing.assert_allclose(lost.plan.knots, good.plan.sample(START + 0.04 + spacing), atol=1e-12)
    positions, returns = planner.traces()
    assert positions.shape == (0, 13, 3) and returns.shape == (0,)
    again = planner.plan(start(cartpole), START + 0.06)
    assert again.valid_rollouts == 10
    tried = planner.last_controls()[0, :12]
    np.testing.assert_allclose(tried, shifted(planner, lost.plan, START + 0.06), atol=1e-9)


def test_without_any_good_plan_the_controls_stay_neutral(cartpole: Task) -> None:
    report = planner_for(cartpole).plan(hopeless(cartpole), START)
    assert report.valid_rollouts == 0
    np.testing.assert_array_equal(report.plan.knots, 0.0)


def run(task: Task, seed: int, threads: int, noise: str) -> Array:
    """The knots of five plans along their own closed loop."""
    planner = planner_for(task, seed, threads, noise=noise)
    planner.value = ensemble(task)
    data = mujoco.MjData(task.model)
    set_state(task.model, data, start(task))
    knots = []
    for step in range(5):
        now = step * task.timestep
        plan = planner.plan(task.state_of(data), now).plan
        data.ctrl[:] = planner.control(plan, now)
        mujoco.mj_step(task.model, data)
        knots.append(plan.knots)
    return np.array(knots)


@pytest.mark.parametrize("noise", NOISES)
def test_the_same_seed_makes_the_same_plans_at_any_number_of_threads(
    humanoid_getup: Task, noise: str
) -> None:
    reference = run(humanoid_getup, 3, 1, noise)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(run(humanoid_getup, 3, threads, noise), reference)
    assert (run(humanoid_getup, 4, 1, noise) != reference).any()


def test_the_report_describes_the_state_and_its_value(cartpole: Task) -> None:
    planner = planner_for(cartpole, optimism=0.1, elites=0)
    without = planner.plan(start(cartpole), START)
    assert (without.value, without.value_std) == (0.0, 0.0)
    planner.value = value = ensemble(cartpole)
    state = start(cartpole)
    report = planner.plan(state, START)
    seen = cartpole.observe(state, planner.control(report.plan, START))  # as if it followed the plan
    assert report.reward == pytest.approx(float(cartpole.reward(seen)), abs=1e-12)
    heads = value.heads(cartpole.value_features(seen))
    assert report.value == pytest.approx(float(optimistic(heads, 0.1)), abs=1e-9)
    assert report.value_std == pytest.approx(float(np.std(heads)), abs=1e-9)
    assert report.best_return == planner.traces()[1][0]
    assert 1.0 <= report.effective_sample_size <= 10.0
    assert report.valid_rollouts == 10 and report.compute_time > 0
    assert sum(report.reward_terms.values()) == pytest.approx(report.reward)
    assert set(report.reward_terms) == set(cartpole.weights)


def test_a_report_outlives_the_next_plan(cartpole: Task) -> None:
    planner = planner_for(cartpole)
    report = planner.plan(start(cartpole), START)
    before = report.view.sensordata.copy(), report.view.ctrl.copy(), report.plan.knots.copy()
    planner.plan(start(cartpole) + 0.1, START + 0.02)
    after = report.view.sensordata, report.view.ctrl, report.plan.knots
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(new, old)


def test_traces_follow_the_tip_best_first(cartpole: Task) -> None:
    planner = planner_for(cartpole)
    state = start(cartpole)
    report = planner.plan(state, START)
    positions, returns = planner.traces()
    assert positions.shape == (10, 13, 3) and returns.shape == (10,)
    assert (np.diff(returns) <= 0).all() and returns[0] == report.best_return
    tip = cartpole.observe(state).sensor("tip_position")
    np.testing.assert_allclose(positions[:, 0], np.tile(tip, (10, 1)), atol=1e-12)
    assert len(np.unique(positions[:, -1, 0])) == 10


def test_traces_leave_out_diverged_rollouts() -> None:
    task = make_task("cartpole_swingup", torque_scale=1e6)  # MuJoCo gives up on the strongest pushes
    planner = planner_for(task, noise="white", horizon=2, noise_sigma=0.25)
    report = planner.plan(start(task), START)
    positions, returns = planner.traces()
    assert 0 < report.valid_rollouts < 10
    assert len(positions) == len(returns) == report.valid_rollouts
    assert np.isfinite(positions).all() and np.isfinite(returns).all()


def test_commands_stay_in_the_range_where_the_curve_overshoots(cartpole: Task) -> None:
    planner = planner_for(cartpole)
    curve = Plan(0.0, 1.0, np.array([[1.0], [-1.0], [-1.0], [1.0]]), "cubic")
    times = np.linspace(-1, 4, 101)
    assert np.abs(curve.sample(times)).max() > 1.05
    commands = planner.control(curve, times)
    assert commands.shape == (101, 1) and np.abs(commands).max() == 1.0
    inside = np.abs(curve.sample(times)) <= 1.0
    np.testing.assert_array_equal(commands[inside], curve.sample(times)[inside])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shipped_settings_swing_the_pole_up(seed: int) -> None:
    """The planner alone, without a value function: up within 4 s and still up at the end."""
    settings = settings_for("cartpole_swingup")
    task = settings.task
    planner = Planner(task, settings.planner, seed, threads=1)
    data = mujoco.MjData(task.model)
    set_state(task.model, data, task.start_state(np.random.default_rng(seed)))
    achieved = []
    for step in range(250):
        report = planner.plan(task.state_of(data), step * task.timestep)
        achieved.append(bool(task.achieved(report.view)))
        data.ctrl[:] = planner.control(report.plan, step * task.timestep)
        mujoco.mj_step(task.model, data)
    assert not achieved[0]
    assert all(achieved[200:])


def test_another_model_brings_its_own_timestep(tmp_path: Path) -> None:
    path = tmp_path / "faster.xml"
    text = share_path("models", "cartpole.xml").read_text()
    path.write_text(text.replace('timestep="0.02"', 'timestep="0.01"'))
    planner = planner_for(make_task("cartpole_swingup", path))
    assert planner.plan(start(planner.task), START).plan.end == pytest.approx(START + 0.11)
