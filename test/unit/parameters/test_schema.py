"""The declarative table: types, ranges, choices and round trips."""

import math
from dataclasses import dataclass
from typing import Any

import pytest

from polo_ros.errors import PoloError
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.parameters.schema import build, parameter, table, values_of
from polo_ros.tasks import Task, task_classes


@dataclass(frozen=True)
class Base:
    name: str = parameter("a", "A name.", dynamic=False)


@dataclass(frozen=True)
class Example(Base):
    count: int = parameter(3, "A count.", low=1, high=5)
    gain: float = parameter(0.5, "A gain.", low=0.0, high=1.0)
    mode: str = parameter("fast", "A mode.", choices=("fast", "slow"))
    enabled: bool = parameter(True, "A switch.")
    sizes: tuple[int, ...] = parameter((16, 16), "Sizes.", low=1, high=64)
    names: tuple[str, ...] = parameter((), "Names.")
    limit: float = parameter(1.0, "A limit.", low=0.0, high=2.0, name="safety.limit")

    def check(self) -> None:
        if self.count == 5 and self.mode == "slow":
            raise PoloError("count 5 does not go with mode slow")


def test_table_lists_inherited_fields_first_under_their_own_names() -> None:
    names = [spec.name for spec in table(Example)]
    assert names == ["name", "count", "gain", "mode", "enabled", "sizes", "names", "safety.limit"]
    assert not table(Example)[0].dynamic and table(Example)[1].dynamic


def test_type_names_as_the_documentation_writes_them() -> None:
    types = {spec.name: spec.type_name for spec in table(Example)}
    assert types["count"] == "int" and types["gain"] == "float" and types["enabled"] == "bool"
    assert types["sizes"] == "list of int" and types["names"] == "list of str"


def test_build_fills_in_defaults() -> None:
    assert build(Example, {}) == Example()


def test_build_and_values_of_are_inverse() -> None:
    values = {
        "name": "b", "count": 2, "gain": 0.25, "mode": "slow", "enabled": False, "sizes": (8,),
        "names": ("x", "y"), "safety.limit": 1.5,
    }  # fmt: skip
    made = build(Example, values)
    assert values_of(made) == values
    assert made.limit == 1.5
    assert build(Example, values_of(made)) == made


def test_a_whole_number_will_do_for_a_float_but_not_the_reverse() -> None:
    made = build(Example, {"gain": 1})
    assert made.gain == 1.0 and type(made.gain) is float
    with pytest.raises(PoloError, match=r"count .*int.* 2\.0"):
        build(Example, {"count": 2.0})


def test_lists_become_tuples() -> None:
    assert build(Example, {"sizes": [4, 8, 4]}).sizes == (4, 8, 4)
    assert build(Example, {"sizes": []}).sizes == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": True}, "count .*True"),
        ({"enabled": 1}, "enabled .*bool.*1"),
        ({"gain": True}, "gain .*float.*True"),
        ({"gain": "0.5"}, "gain .*float.*'0.5'"),
        ({"name": 3}, "name .*str.*3"),
        ({"count": None}, "count .*None"),
        ({"count": 0}, r"count must lie in \[1, 5\], not 0"),
        ({"count": 6}, r"count must lie in \[1, 5\], not 6"),
        ({"gain": 1.0001}, r"gain must lie in \[0.0, 1.0\]"),
        ({"gain": math.nan}, "gain must be finite, not nan"),
        ({"gain": -math.inf}, "gain must be finite, not -inf"),
        ({"gain": -(10**400)}, "gain must be finite, not -inf"),
        ({"count": 10**400}, r"count must lie in \[1, 5\], not 10+$"),
        ({"mode": "medium"}, "mode must be one of fast, slow, not 'medium'"),
        ({"sizes": 16}, "sizes must be a list, not 16"),
        ({"sizes": "16"}, "sizes must be a list, not '16'"),
        ({"sizes": [16, 0]}, r"sizes must lie in \[1, 64\], not 0"),
        ({"names": ["x", 1]}, "names .*str.*1"),
        ({"safety.limit": 3.0}, "safety.limit must lie in"),
        ({"limit": 1.0}, "unknown parameter limit for Example; known are .*safety.limit"),
        ({"speed": 1, "colour": 2}, "unknown parameter colour, speed"),
        ({"count": 5, "mode": "slow"}, "count 5 does not go with mode slow"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PoloError, match=message):
        build(Example, values)


@pytest.mark.parametrize("value", [1, 5])
def test_ranges_are_closed(value: int) -> None:
    assert build(Example, {"count": value}).count == value


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("task", task_classes().values(), ids=lambda task: task.name)
def test_declared_parameters_are_complete(task: type[Task], node: str) -> None:
    for spec in node_table(node, task):
        assert spec.convert(spec.default) == spec.default  # the default obeys its own range and choices
        assert spec.description[0].isupper() or spec.description[0] in "κγσλ", spec.name
        assert spec.description.endswith("."), spec.name
        number = isinstance(spec.default, (int, float)) and not isinstance(spec.default, bool)
        if spec.dynamic and number:
            assert spec.low is not None and spec.high is not None, f"a slider needs a range: {spec.name}"
            assert spec.low < spec.high, spec.name


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("task", task_classes())
def test_a_node_declares_no_name_twice(node: str, task: str) -> None:
    names = [spec.name for spec in node_table(node, task_classes()[task])]
    assert len(names) == len(set(names))
