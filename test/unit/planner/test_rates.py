"""Rate limits and the noise scale of each actuator."""

from typing import ClassVar

import numpy as np
import pytest

from polo_ros.agent.agent import Agent
from polo_ros.arrays import Array
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.planner.mppi import MPPI
from polo_ros.planner.plan import interpolation_matrix
from polo_ros.planner.rates import RateLimiter
from polo_ros.tasks.cartpole_swingup import CartpoleSwingup
from test.support.quadruped import Trot

SLACK = 1e-9


class SlowCartpole(CartpoleSwingup):
    """The cart-pole with a motor whose force cannot jump."""

    rate: ClassVar[float] = 4.0

    @property
    def rate_limits(self) -> Array:
        return np.array([self.rate])


@pytest.mark.parametrize("interpolation", ["zero", "linear", "cubic"])
def test_no_step_of_a_limited_curve_exceeds_its_limit(interpolation: str) -> None:
    rng = np.random.default_rng(0)
    steps = np.array([0.02, 0.3])
    matrix = interpolation_matrix(np.arange(25) * 3 / 23, 4, interpolation)
    samples = rng.standard_normal((2, 50, 4, 2))
    before = rng.standard_normal((2, 2))
    RateLimiter(steps, matrix).limit(samples, before)
    curves = matrix @ samples
    assert (np.abs(np.diff(curves, axis=2)) <= steps + SLACK).all()
    assert (np.abs(curves[:, :, 0] - before[:, None]) <= steps + SLACK).all()
    # some step is as fast as allowed: the limit is not tighter than it must be
    assert np.abs(np.diff(curves, axis=2)).max(axis=(0, 1, 2)) == pytest.approx(steps, rel=0.35)


def test_slow_curves_are_left_alone() -> None:
    matrix = interpolation_matrix(np.arange(25) * 3 / 23, 4, "cubic")
    samples = 1e-3 * np.random.default_rng(0).standard_normal((1, 5, 4, 2))
    limited = samples.copy()
    RateLimiter(np.ones(2), matrix).limit(limited, None)
    np.testing.assert_array_equal(limited, samples)


def test_a_plan_of_one_knot_is_limited_from_the_control_before() -> None:
    samples = np.full((1, 1, 1, 1), 5.0)
    RateLimiter(np.array([0.1]), np.ones((9, 1))).limit(samples, np.array([[1.0]]))
    assert samples.item() == pytest.approx(1.1)


class Guided(SlowCartpole):
    """The same with a reference whose force jumps."""

    has_reference: ClassVar[bool] = True

    def reference_controls(self, states: Array, times: Array) -> Array:
        jumps = np.where(np.floor(times / 0.1) % 2 == 0, -0.5, 0.5)
        return np.broadcast_to(jumps[None, :, None], (len(states), len(times), 1))


def test_a_limited_reference_keeps_the_rates_with_its_deviations_and_from_plan_to_plan() -> None:
    task = Guided()
    config = PlannerConfig(horizon=20, rollouts=12, noise_sigma=0.3)
    agent = Agent(task, Planner(task, config, threads=1), seed=3)
    controls = np.array([agent.step().ctrl for _ in range(40)])
    changes = np.abs(np.diff(controls, axis=0))
    assert changes.max() == pytest.approx(Guided.rate * task.timestep)
    samples = agent.planner.last_controls()
    assert np.abs(np.diff(samples, axis=1)).max() <= Guided.rate * task.timestep + SLACK


@pytest.mark.parametrize("noise", ["white", "filtered", "knots"])
def test_an_agent_keeps_the_rate_limits_from_plan_to_plan(noise: str) -> None:
    task = SlowCartpole()
    config = PlannerConfig(horizon=20, rollouts=12, noise=noise, noise_sigma=1.0, iterations=2)
    agent = Agent(task, Planner(task, config, threads=1), seed=3)
    controls = np.array([agent.step().ctrl for _ in range(40)])
    changes = np.abs(np.diff(controls, axis=0))
    assert changes.max() <= SlowCartpole.rate * task.timestep + SLACK
    assert changes.max() > 0.5 * SlowCartpole.rate * task.timestep


def test_the_noise_of_each_actuator_has_its_own_scale() -> None:
    class Scaled(Trot):
        @property
        def noise_scale(self) -> Array:
            return np.linspace(0.01, 0.08, 8)

    task = Scaled()
    config = PlannerConfig(rollouts=400, elites=0, noise="white", horizon=10, noise_sigma=0.5)
    mppi = MPPI(task, config, seed=0, threads=1)
    neutral = np.tile(task.neutral, (1, 10, 1))
    noise = mppi._sample(neutral, np.empty((1, 0, 10, 8)))[0, 1:] - neutral
    np.testing.assert_allclose(noise.std(axis=(0, 1)), 0.5 * task.noise_scale, rtol=0.05)
