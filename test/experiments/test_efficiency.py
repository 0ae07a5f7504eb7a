"""What the efficiency experiment compares: equal simulator steps, true counts, unchanged worlds."""

from collections.abc import Sequence

import numpy as np
import pytest

from experiments.adaptive_planners import Recalling, SureHorizon
from experiments.efficiency import BUDGETS, TASKS, Efficiency, budgeted, driven, planner_of
from experiments.experiment import Row
from experiments.planner_variants import RECOMMENDED, planner_variants
from experiments.training_cache import run_episode, settings_of
from polo_ros.agent.world import World
from polo_ros.parameters.schema import build, values_of
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner, PlannerConfig


@pytest.fixture(scope="module")
def settings() -> dict[str, Settings]:
    return {task: settings_of(task, changes) for task, changes in TASKS.items()}


@pytest.fixture(scope="module")
def jobs() -> Sequence[Row]:
    return Efficiency().jobs(quick=False)


def cases(jobs: Sequence[Row]) -> set[tuple[str, str, float]]:
    return {(job["task"], job["variant"], job["budget"]) for job in jobs}


def planner(settings: dict[str, Settings], task: str, variant: str, budget: float = 0.5) -> Planner:
    chosen = planner_variants(settings[task].planner)[variant]
    return planner_of(settings[task], chosen, budget, seed=0)


def test_every_job_has_settings_that_are_allowed(settings: dict[str, Settings], jobs: Sequence[Row]) -> None:
    for task, variant, budget in cases(jobs):
        recommended = settings[task].planner
        config = planner_variants(recommended)[variant].config(recommended, budgeted(settings[task], budget))
        assert build(PlannerConfig, values_of(config)) == config


def test_variants_without_enough_rollouts_or_a_value_function_are_left_out(jobs: Sequence[Row]) -> None:
    found = cases(jobs)
    assert ("humanoid_getup", "2 iterations", 0.5) in found  # 7 rollouts a round
    assert ("humanoid_getup", "2 iterations", 0.25) not in found  # 4, and 6 are needed
    assert ("humanoid_getup", "twice the knots", 0.25) not in found  # 8, and 10 are needed
    assert ("humanoid_getup", "values along the rollout", 0.25) in found
    assert not any(task != "humanoid_getup" and "value" in variant for task, variant, _ in found)
    for task in TASKS:
        assert all((task, RECOMMENDED, budget) in found for budget in BUDGETS)


@pytest.mark.parametrize("task", TASKS)
def test_variants_spend_the_same_steps_a_period(
    task: str, settings: dict[str, Settings], jobs: Sequence[Row]
) -> None:
    """Except for rounds of odd rollouts, the step past the horizon, and variants that may stop early."""
    given = settings[task].planner
    substeps = settings[task].task.substeps
    for _, variant, budget in (case for case in cases(jobs) if case[0] == task):
        chosen = planner_variants(given)[variant]
        config = chosen.config(given, budgeted(settings[task], budget))
        steps = config.iterations * config.rollouts * (config.horizon * substeps + 1) / chosen.every
        allowed = budgeted(settings[task], budget) * (given.horizon * substeps + 1)
        assert 0.92 * allowed <= steps <= 1.04 * allowed, variant


def test_the_recommended_planner_acts_as_the_agent_does(settings: dict[str, Settings]) -> None:
    task = "cartpole_swingup"
    overrides = {"rollouts": budgeted(settings[task], 0.5), "value_weight": 0.0}
    episode = run_episode(settings_of(task, overrides), None, 3, 12)
    acting = planner_of(settings[task], planner_variants(settings[task].planner)[RECOMMENDED], 0.5, seed=3)
    states, ctrl, spent = driven(settings[task].task, acting, 1, 3, 12)
    np.testing.assert_array_equal(states, episode.states)
    np.testing.assert_array_equal(ctrl, [step.ctrl for step in episode.steps])
    assert spent == 12 * 10 * 51


def test_between_plans_the_curve_is_followed(settings: dict[str, Settings]) -> None:
    acting = planner(settings, "cartpole_swingup", "plan every 2nd period")
    task = settings["cartpole_swingup"].task
    _, ctrl, spent = driven(task, acting, 2, 0, 4)
    assert spent == 2 * 20 * 51
    first = planner(settings, "cartpole_swingup", "plan every 2nd period")
    plan = first.plan(task.start_state(np.random.default_rng(0)), 0.0).plan
    np.testing.assert_allclose(ctrl[:2], first.control(plan, np.array([0.0, task.timestep])), atol=1e-12)


def test_longer_physics_steps_are_in_the_planner_alone(settings: dict[str, Settings]) -> None:
    for task, one in settings.items():
        acting = planner(settings, task, "steps twice as long")
        usual = planner(settings, task, RECOMMENDED)
        assert acting.task.model.opt.timestep == 2 * one.task.model.opt.timestep
        assert usual.task is one.task
        seconds = [each.config.horizon * each.task.timestep for each in (acting, usual)]
        assert seconds[0] == pytest.approx(seconds[1])
        worth = [each.config.discount ** (1.0 / each.task.timestep) for each in (acting, usual)]
        assert worth[0] == pytest.approx(worth[1])


def test_only_variants_on_values_have_a_value_function(
    settings: dict[str, Settings], jobs: Sequence[Row]
) -> None:
    for _, variant, _ in (case for case in cases(jobs) if case[0] == "humanoid_getup" and case[2] == 0.5):
        acting = planner(settings, "humanoid_getup", variant)
        valued = "value" in variant
        assert (acting.value is not None) == valued and (acting.config.value_weight > 0) == valued


def test_getup_is_judged_by_the_papers_reward(settings: dict[str, Settings]) -> None:
    weights = settings["humanoid_getup"].task.weights
    assert (weights["upright"], weights["motion"], weights["height"]) == (0.0, 0.0, 1.0)


def test_controls_that_followed_the_nearest_state_are_proposed(settings: dict[str, Settings]) -> None:
    acting = planner(settings, "cartpole_swingup", "proposals from 3 episodes")
    assert isinstance(acting, Recalling)
    task, config = settings["cartpole_swingup"].task, acting.config
    plan = acting.plan(task.start_state(np.random.default_rng(0)), 0.0).plan
    # an episode that follows one curve of knots from its tenth period on
    periods = config.horizon + 20
    ctrl = np.zeros((periods, task.model.nu))
    ctrl[10:] = plan.sample(task.timestep * np.arange(periods - 10))
    world = World(task, np.random.default_rng(1))
    states = []
    for control in ctrl:
        states.append(world.state)
        world.step(control)
    acting.remember(np.array(states), ctrl)
    features = task.value_features(task.observe(states[10]))
    np.testing.assert_allclose(acting.recalled(features), plan.knots[None], atol=1e-9)
    # from there on it is one of the rollouts, untouched
    acting.reset()
    acting.plan(states[10], 0.0)
    tried = acting.last_controls()
    assert np.abs(tried[:, : config.horizon] - ctrl[10 : 10 + config.horizon]).max(axis=(1, 2)).min() < 1e-9


def test_more_rollouts_where_the_effective_sample_size_was_small(settings: dict[str, Settings]) -> None:
    acting = planner(settings, "cartpole_swingup", "rollouts by sample size")
    world = World(settings["cartpole_swingup"].task, np.random.default_rng(0))
    seen = []
    for _ in range(12):
        used = acting.config.rollouts
        report = acting.plan(world.state, float(world.data.time))
        seen.append((report.effective_sample_size / used, acting.config.rollouts))
        world.step(acting.control(report.plan, float(world.data.time)))
    assert len({rollouts for _, rollouts in seen}) > 1
    low, high = min(seen[1:]), max(seen[1:])
    assert low[1] > high[1]


def test_a_sure_ensemble_shortens_the_horizon(settings: dict[str, Settings]) -> None:
    acting = planner(settings, "humanoid_getup", "horizon by the values' spread")
    assert isinstance(acting, SureHorizon)
    state = settings["humanoid_getup"].task.start_state(np.random.default_rng(0))
    given = acting.config
    for sure, horizon, rollouts in (
        (np.inf, given.horizon // 4, 4 * given.rollouts),
        (0.0, given.horizon, given.rollouts),
    ):
        acting.SURE = sure  # type: ignore[misc]
        acting.configure(given)
        acting.plan(state, 0.0)
        assert (acting.config.horizon, acting.config.rollouts) == (horizon, rollouts)
