"""Planning over several models: what differs between them, and how their returns are combined."""

import mujoco
import numpy as np
import pytest

from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.models import ModelErrors, draw_errors, with_errors, worst_mean
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.rollouts import Rollouts
from polo_ros.tasks import Task
from test.support.quadruped import Trot

CONFIG = PlannerConfig(horizon=20, rollouts=8, noise_knots=4)


def test_a_model_with_errors_is_heavier_rougher_and_stronger() -> None:
    model = Trot().model
    changed = with_errors(model, ModelErrors(mass=1.5, friction=0.5, gain=2.0))
    np.testing.assert_allclose(changed.body_mass, 1.5 * model.body_mass)
    np.testing.assert_allclose(changed.body_subtreemass, 1.5 * model.body_subtreemass)
    np.testing.assert_allclose(changed.geom_friction, 0.5 * model.geom_friction)
    np.testing.assert_allclose(changed.actuator_gainprm[:, 0], 2.0 * model.actuator_gainprm[:, 0])
    # a servo that is twice as stiff still goes to where it is told
    np.testing.assert_allclose(changed.actuator_biasprm[:, 1], -changed.actuator_gainprm[:, 0])
    np.testing.assert_allclose(changed.actuator_biasprm[:, 2], model.actuator_biasprm[:, 2])
    assert (model.body_mass == Trot().model.body_mass).all()


def test_drawn_models_cover_their_intervals_and_begin_with_the_nominal_one() -> None:
    config = PlannerConfig(models=6, mass_spread=0.2, friction_spread=0.3, gain_spread=0.0)
    first, *others = draw_errors(config)
    assert first == ModelErrors()
    np.testing.assert_allclose(sorted(each.mass for each in others), [0.8, 0.9, 1.0, 1.1, 1.2])
    np.testing.assert_allclose(sorted(each.friction for each in others), [0.7, 0.85, 1.0, 1.15, 1.3])
    assert {each.gain for each in others} == {1.0}
    assert draw_errors(config) == [first, *others]
    assert draw_errors(PlannerConfig()) == [ModelErrors()]


def test_worst_mean_is_the_mean_of_the_worst_share() -> None:
    returns = np.array([[[1.0, 5.0], [2.0, 1.0], [6.0, -np.inf], [3.0, 9.0]]])
    np.testing.assert_array_equal(worst_mean(returns, 1.0), [[3.0, -np.inf]])
    np.testing.assert_array_equal(worst_mean(returns, 0.5)[:, :1], [[1.5]])
    np.testing.assert_array_equal(worst_mean(returns, 0.05)[:, :1], [[1.0]])


def test_each_problem_is_simulated_on_its_own_model(cartpole: Task) -> None:
    models = [with_errors(cartpole.model, ModelErrors(gain=gain)) for gain in (1.0, 0.5, 2.0)]
    states = np.repeat(cartpole.start_state(np.random.default_rng(0))[None], 6, axis=0)
    controls = np.random.default_rng(1).uniform(-1.0, 1.0, (6, 4, 11, cartpole.model.nu))
    rollouts = Rollouts(cartpole.model, threads=1, substeps=cartpole.substeps)
    rollouts.use_models(models)
    found = rollouts.run(states, controls).sensordata.copy()
    for index in range(6):
        alone = Rollouts(models[index % 3], threads=1, substeps=cartpole.substeps)
        expected = alone.run(states[index : index + 1], controls[index : index + 1]).sensordata
        np.testing.assert_array_equal(found[index], expected[0])
    assert not np.array_equal(found[0], found[1])


def test_models_without_errors_give_the_plan_of_one(cartpole: Task) -> None:
    exact = {"mass_spread": 0.0, "friction_spread": 0.0, "gain_spread": 0.0}
    state = cartpole.start_state(np.random.default_rng(0))
    plans = []
    for models in (1, 3):
        planner = Planner(cartpole, PlannerConfig(**vars(CONFIG) | exact | {"models": models}), 0, threads=1)
        plans.append([planner.plan(state, 0.02 * index) for index in range(3)])
    for one, three in zip(*plans, strict=True):
        np.testing.assert_allclose(three.plan.knots, one.plan.knots, rtol=0, atol=1e-12)
        assert three.simulator_steps == 3 * one.simulator_steps


def test_a_rollout_that_diverges_on_one_model_is_invalid(cartpole: Task) -> None:
    mppi = MPPI(
        cartpole, PlannerConfig(**vars(CONFIG) | {"models": 2, "mass_spread": 0.5}), seed=0, threads=1
    )
    broken = with_errors(cartpole.model, ModelErrors())
    broken.opt.timestep = 1e3
    mppi.rollouts.use_models([cartpole.model, broken])
    state = cartpole.start_state(np.random.default_rng(0))
    solution = mppi.optimise(state[None], np.zeros((1, 4, 1)))
    assert not solution.valid.any()


@pytest.mark.parametrize("worst", [1.0, 0.3])
def test_a_risk_that_one_model_shows_is_avoided(worst: float) -> None:
    """A slide towards a cliff: stronger actuators than nominal go over it."""
    returns = np.array([[[1.0, 0.9], [-5.0, 0.8], [1.0, 0.9]]])
    assert (np.argmax(worst_mean(returns, worst)[0]) == 1) and np.argmax(returns[0, 0]) == 0


def test_models_change_live_and_back(cartpole: Task) -> None:
    planner = Planner(cartpole, CONFIG, 0, threads=1)
    state = cartpole.start_state(np.random.default_rng(0))
    steps = []
    for models in (1, 4, 1):
        planner.configure(PlannerConfig(**vars(CONFIG) | {"models": models}))
        steps.append(planner.plan(state, 0.0).simulator_steps)
    assert steps[1] == 4 * steps[0] == 4 * steps[2]
    assert isinstance(planner.task.model, mujoco.MjModel)
