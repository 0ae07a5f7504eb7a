"""The planner's settings: what goes together and what is refused."""

from typing import Any

import pytest

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import build
from polo_ros.planner import PlannerConfig


def config(**values: Any) -> PlannerConfig:
    return build(PlannerConfig, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"horizon": 0}, r"horizon must lie in \[1, 256\], not 0"),
        ({"horizon": -3}, "horizon must lie in"),
        ({"temperature": -0.1}, r"temperature must lie in \[0\.01, 5\.0\], not -0\.1"),
        ({"temperature": 0.0}, "temperature must lie in"),
        ({"temperature": float("nan")}, "temperature must be finite, not nan"),
        ({"noise_sigma": 0.0}, "noise_sigma must lie in"),
        ({"noise_knots": 1}, "noise_knots must lie in"),
        ({"discount": 1.01}, "discount must lie in"),
        ({"rollouts": 1}, "rollouts must lie in"),
        ({"iterations": 0}, "iterations must lie in"),
        ({"noise": "pink"}, "noise must be one of white, filtered, knots, not 'pink'"),
        ({"interpolation": "quintic"}, "interpolation must be one of zero, linear, cubic"),
        ({"temperature_mode": "relative"}, "temperature_mode must be one of absolute, scale_free"),
        ({"horizon": 4, "noise_knots": 5}, "noise_knots 5 exceeds horizon 4; use at most one knot per step"),
        (
            {"rollouts": 5, "noise_knots": 4, "elites": 1},
            "rollouts 5 are too few for 4 knots; use at least 6",
        ),
        (
            {"rollouts": 3, "noise": "white", "elites": 2},
            "rollouts 3 leave no sample beside .* 2 elites; use at least 4",
        ),
    ],
)
def test_bad_settings_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PoloError, match=message):
        config(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"rollouts": 6, "noise_knots": 4, "elites": 1},
        {"rollouts": 4, "noise": "white", "elites": 2},
        {"horizon": 4, "noise_knots": 4},
        {"horizon": 1, "noise": "filtered"},
        {"horizon": 2, "noise": "white", "noise_knots": 30},
    ],
)
def test_the_bounds_themselves_are_allowed(values: dict[str, Any]) -> None:
    config(**values)


def test_a_plan_has_one_held_knot_a_step_unless_the_noise_is_on_knots() -> None:
    knots = config(horizon=20, noise="knots", noise_knots=5, interpolation="linear")
    assert (knots.knots, knots.curve) == (5, "linear")
    for noise in ("white", "filtered"):
        each_step = config(horizon=20, noise=noise, noise_knots=5, interpolation="linear")
        assert (each_step.knots, each_step.curve) == (20, "zero")
