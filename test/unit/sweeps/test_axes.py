"""What a sweep varies: lists, ranges and single values."""

import pytest

from polo_ros.errors import PoloError
from polo_ros.sweeps.axes import Axis, combinations, parse_axes
from polo_ros.tasks import task_class

CARTPOLE = task_class("cartpole_swingup")


@pytest.mark.parametrize(
    ("given", "values", "is_range"),
    [
        ("horizon:=8,16,32", (8, 16, 32), False),
        ("noise:=knots,filtered", ("knots", "filtered"), False),
        ("reward.centre:=-1,-0.5", (-1.0, -0.5), False),
        ("noise_sigma:=1e-1,0.5", (0.1, 0.5), False),
        ('weights_file:="",getup.safetensors', ("", "getup.safetensors"), False),
        ("noise_sigma:=0.2..0.6", (0.2, 0.3, 0.4, 0.5, 0.6), True),
        ("noise_sigma:=0.1..0.3:4", (0.1, 0.166667, 0.233333, 0.3), True),
        ("temperature:=1..2:3", (1.0, 1.5, 2.0), True),
        ("horizon:=8..32", (8, 14, 20, 26, 32), True),
        ("horizon:=8..10", (8, 9, 10), True),
        ("reward.centre:=-1..0:2", (-1.0, 0.0), True),
    ],
)
def test_values_of_an_axis(given: str, values: tuple[object, ...], is_range: bool) -> None:
    (axis,), fixed = parse_axes([given], CARTPOLE)
    assert axis == Axis(given.partition(":=")[0], values, is_range) and fixed == {}
    assert [type(value) for value in axis.values] == [type(value) for value in values]


def test_single_values_are_fixed_and_the_last_word_counts() -> None:
    axes, fixed = parse_axes(
        ["horizon:=8,16", "rollouts:=9", "joints:=[a]", "noise_sigma:=0.1,0.2", "horizon:=7"], CARTPOLE
    )
    assert [axis.name for axis in axes] == ["noise_sigma"]
    assert fixed == {"rollouts": 9, "joints": ["a"], "horizon": 7}


def test_the_last_axis_varies_fastest() -> None:
    axes, _ = parse_axes(["horizon:=8,16", "noise_sigma:=0.1,0.2"], CARTPOLE)
    found = [(values["horizon"], values["noise_sigma"]) for values in combinations(axes)]
    assert found == [(8, 0.1), (8, 0.2), (16, 0.1), (16, 0.2)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("horizon", "'horizon' is not of the form name:=value"),
        ("horizn:=8,16", "planner_node has no parameter horizn; did you mean horizon?"),
        ("gradient_steps:=8,16", "planner_node has no parameter gradient_steps; it belongs to learner_node"),
        ("safety.max_rate:=1,2", "an episode without ROS does not depend on safety.max_rate"),
        ("seed:=1,2", "an episode without ROS does not depend on seed"),
        ("horizon:=8,0", "horizon must lie in [1, 256], not 0"),
        ("horizon:=8,16.5", "horizon must be of type int, not 16.5"),
        ("noise_sigma:=0.2..0.2", "the range of 'noise_sigma:=0.2..0.2' is empty"),
        ("noise_sigma:=0.6..0.2", "the range of 'noise_sigma:=0.6..0.2' is empty"),
        ("noise_sigma:=0.2..0.6:1", "must have at least 2 values, not 1"),
        ("noise:=1..3", "noise must be of type str, not 1.0"),
        ("horizon:=8.5..16", "horizon must be of type int, not 8.5"),
        ("noise_sigma:=0.5,0.5000001", "gives a value twice"),
        ("horizon:=8,,16", "is not valid YAML"),
    ],
)
def test_bad_axes_get_one_sentence(given: str, message: str) -> None:
    with pytest.raises(PoloError) as refusal:
        parse_axes([given], CARTPOLE)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
