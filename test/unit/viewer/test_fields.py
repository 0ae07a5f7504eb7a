"""Parameters as the page shows them."""

import pytest

from polo_ros.viewer.fields import READ_ONLY, Field, grouped, parse_setting

FIELDS = [
    Field("seed", 0, read_only=True),
    Field("horizon", 64, low=1, high=256),
    Field("reward.height", 1.0, low=0.0, high=10.0),
    Field("noise", "knots", choices=("white", "knots")),
    Field("latency_compensation", True),
    Field("reward.control", -0.02, low=-0.2, high=0.0),
]


def test_what_is_tuned_comes_first_and_what_cannot_be_changed_last() -> None:
    names = {group: [field.name for field in fields] for group, fields in grouped(FIELDS).items()}
    assert names == {
        "": ["horizon", "noise", "latency_compensation"],
        "reward": ["reward.height", "reward.control"],
        READ_ONLY: ["seed"],
    }
    assert list(names) == ["", "reward", READ_ONLY]


@pytest.mark.parametrize(
    ("field", "step"),
    [(FIELDS[1], 1), (FIELDS[2], 0.05), (FIELDS[5], 0.001), (Field("free", 2.0), 1)],
)
def test_a_slider_moves_in_round_steps(field: Field, step: float) -> None:
    assert field.step == pytest.approx(step)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("horizon:=20", ("horizon", 20)),
        (" reward.height 2 ", ("reward.height", 2.0)),
        ("latency_compensation:=false", ("latency_compensation", False)),
        ("noise white", ("noise", "white")),
    ],
)
def test_a_typed_setting_has_the_parameters_type(text: str, setting: tuple[str, object]) -> None:
    name, value = parse_setting(text, FIELDS)
    assert (name, value, type(value)) == (*setting, type(setting[1]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no parameter of that name can be changed here"),
        ("seed:=3", "no parameter seed can be changed"),
        ("horizon:=x", "horizon must be of type int, not 'x'"),
        ("latency_compensation:=1", "is true or false"),
    ],
)
def test_a_typed_setting_that_cannot_be_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_setting(text, FIELDS)
