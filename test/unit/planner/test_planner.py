"""The receding-horizon planner: warm start, settings that change, bad states, repeatability."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.parameters.schema import build
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Plan, Planner, PlannerConfig
from polo_ros.planner.value import Layer, ValueEnsemble, optimistic
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.state import set_state

SMALL = {"horizon": 12, "rollouts": 10, "noise_knots": 4, "noise_sigma": 0.3, "elites": 1}
NOISES = ("white", "filtered", "knots")
START = 100.0


def config(**changes: Any) -> PlannerConfig:
    return build(PlannerConfig, SMALL | changes)


def planner_for(task: Task, seed: int = 0, threads: int = 1, **changes: Any) -> Planner:
    return Planner(task, config(**changes), seed, threads)


def start(task: Task) -> Array:
    return task.start_state(np.random.default_rng(1))


def ensemble(task: Task) -> ValueEnsemble:
    rng, features = np.random.default_rng(2), task.feature_count
    layers = (Layer(rng.standard_normal((4, features, 1)), rng.standard_normal((4, 1, 1))),)
    return ValueEnsemble(layers, layers, np.zeros(features), np.ones(features), 10.0, 5.0, 0.0)


def hopeless(task: Task) -> Array:
    """A finite state that MuJoCo refuses to step."""
    state = start(task)
    state[task.model.nq] = 1e12
    return state


def shifted(planner: Planner, last: Plan, now: float) -> Array:
    """What rollout 0 must try at `now`: the last plan on the new knots, (H, nu)."""
    settings, timestep = planner.config, planner.task.timestep
    steps = settings.horizon - 1
    spacing = timestep * (steps / (settings.knots - 1) if settings.knots > 1 else 1.0)
    knots = last.sample(now + spacing * np.arange(settings.knots, dtype=float))
    knots = np.clip(knots, planner.task.control_low, planner.task.control_high)
    curve = Plan(now, spacing, knots, settings.curve)
    return planner.control(curve, now + timestep * np.arange(settings.horizon, dtype=float))


def discounted_reward(task: Task, controls: Array) -> float:
    """What controls (H, nu) earn from the start state, by plain steps."""
    data = mujoco.MjData(task.model)
    set_state(task.model, data, start(task))
    total = 0.0
    for step, control in enumerate(controls):
        total += 0.99**step * float(task.reward(task.observe(task.state_of(data), control)))
        data.ctrl[:] = control
        mujoco.mj_step(task.model, data)
    return total


@pytest.mark.parametrize("noise", NOISES)
def test_the_first_plan_starts_from_neutral_controls(cartpole: Task, noise: str) -> None:
    planner = planner_for(cartpole, noise=noise)
    planner.plan(start(cartpole), START)
    np.testing.assert_array_equal(planner.last_controls()[0], 0.0)
    assert planner.last_controls().shape == (10, 13, 1)


def test_neutral_is_the_nearest_to_zero_that_the_range_allows(cartpole: Task) -> None:
    cartpole.model.actuator_ctrlrange[0] = [0.2, 1.0]
    planner = planner_for(cartpole)
    planner.plan(start(cartpole), START)
    np.testing.assert_allclose(planner.last_controls()[0], 0.2, atol=1e-12)


def test_a_plan_is_a_curve_from_the_time_of_the_state_to_the_last_step(cartpole: Task) -> None:
    planner = planner_for(cartpole, noise_knots=4, interpolation="linear")
    plan = planner.plan(start(cartpole), START).plan
    assert (plan.start, plan.interpolation, plan.sequence) == (START, "linear", 1)
    assert plan.end == pytest.approx(START + 11 * 0.02)
    assert plan.knots.shape == (4, 1)
    assert planner.plan(start(cartpole), START + 0.02).plan.sequence == 2
    held = planner_for(cartpole, noise="white").plan(start(cartpole), START).plan
    assert (held.interpolation, held.spacing, held.end) == ("zero", 0.02, START + 12 * 0.02)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1])
def test_the_warm_start_is_the_last_plan_shifted_in_time(cartpole: Task, noise: str, delay: float) -> None:
    planner = planner_for(cartpole, noise=noise)
    last = planner.plan(start(cartpole), START).plan
    planner.plan(start(cartpole), START + delay)
    tried = planner.last_controls()[0, :12]
    np.testing.assert_allclose(tried, shifted(planner, last, START + delay), atol=1e-9)


@pytest.mark.parametrize("start_time", [0.0, 1.76e9 + 0.123])
def test_one_period_later_each_control_is_the_one_planned_for_its_time(
    cartpole: Task, start_time: float
) -> None:
    planner = planner_for(cartpole, noise="white")
    last = planner.plan(start(cartpole), start_time).plan
    planner.plan(start(cartpole), start_time + 0.02)
    tried = planner.last_controls()[0]
    np.testing.assert_array_equal(tried[:11], last.knots[1:])
    np.testing.assert_array_equal(tried[11], last.knots[-1])  # the end holds


def test_the_best_samples_of_the_last_plan_are_tried_again_in_their_time(cartpole: Task) -> None:
    planner = planner_for(cartpole, noise="white", elites=2)
    planner.plan(start(cartpole), START)
    controls = planner.last_controls()
    ranked = sorted(range(10), key=lambda row: -discounted_reward(cartpole, controls[row, :12]))
    planner.plan(start(cartpole), START + 0.02)
    for rank, row in enumerate(ranked[:2]):
        np.testing.assert_array_equal(planner.last_controls()[1 + rank, :11], controls[row, 1:12])


CHANGES = [
    {"horizon": 30},
    {"horizon": 6},
    {"noise_knots": 7},
    {"noise_knots": 2},
    {"noise": "white"},
    {"noise": "filtered", "horizon": 20},
    {"interpolation": "linear"},
    {"interpolation": "zero"},
    {"rollouts": 25},
    {"elites": 0},
    {"elites": 3},
    {"iterations": 3},
]


@pytest.mark.parametrize("before", NOISES)
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_new_settings_resample_the_warm_start(cartpole: Task, before: str, changes: dict[str, Any]) -> None:
    planner = planner_for(cartpole, noise=before)
    for step in range(3):
        last = planner.plan(start(cartpole), START + 0.02 * step).plan
    planner.configure(config(**({"noise": before} | changes)))
    now = START + 0.06
    expected = shifted(planner, last, now)
    assert np.abs(expected).max() > 0.05, "the old plan must be worth keeping"
    report = planner.plan(start(cartpole), now)
    assert report.valid_rollouts == planner.config.rollouts
    assert report.plan.sequence == 4
    if planner.config.iterations == 1:  # later iterations start from the improved plan
        tried = planner.last_controls()[0, : planner.config.horizon]
        np.testing.assert_allclose(tried, expected, atol=1e-9)
    assert np.abs(report.plan.knots).max() > 0.0


def test_reset_forgets_the_plan_and_its_elites(cartpole: Task) -> None:
    planner = planner_for(cartpole, elites=2)
    for step in range(3):
        planner.plan(start(cartpole), START + 0.02 * step)
    planner.reset()
    planner.plan(start(cartpole), 0.0)
    controls = planner.last_controls()
    np.testing.assert_array_equal(controls[0], 0.0)
    assert len(np.unique(controls[:, 0, 0])) == 10  # all but the first are fresh samples


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
