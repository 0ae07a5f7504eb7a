"""What a sweep varies: `-p name:=8,16,32` is a list, `-p name:=0.2..0.6` a range, one value is for all."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from polo_ros.errors import PoloError
from polo_ros.parameters.layers import check_names
from polo_ros.parameters.node_tables import node_table, reward_parameters, setup_parameters
from polo_ros.parameters.schema import Parameter, Value, table
from polo_ros.parameters.yaml_files import parse_overrides
from polo_ros.planner.config import PlannerConfig
from polo_ros.sweeps.results_file import text
from polo_ros.tasks.task import Task

# values of a range without a count
RANGE_VALUES = 5
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(?::(\d+))?")
# parameters of the planner node, beside those of planning, reward and setup, that an episode depends on
EFFECTIVE = ("model_path", "torque_scale", "weights_file")


@dataclass(frozen=True)
class Axis:
    """A parameter that a sweep varies.

    Attributes:
      name: of the parameter.
      values: in the order given, or evenly spaced over the range.
      is_range: whether a search may take any number between the first and the last value.
    """

    name: str
    values: tuple[Value, ...]
    is_range: bool

    @property
    def words(self) -> str:
        """The axis as -p takes it."""
        if self.is_range:
            return f"{self.name}:={text(self.values[0])}..{text(self.values[-1])}"
        return f"{self.name}:={','.join(map(text, self.values))}"

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.values)


def parse_axes(texts: Iterable[str], task: type[Task]) -> tuple[list[Axis], dict[str, Any]]:
    """The axes of a sweep, and the parameters that have one value for all runs.

    Args:
      texts: each `name:=value`; a value is one YAML value, several with commas between them, or a range
        LOW..HIGH or LOW..HIGH:COUNT.
      task: whose parameters they are.

    Raises:
      PoloError: an unknown parameter, one that no episode depends on, a value of another type or out of
        range, an empty range, or a value that is given twice.
    """
    axes: dict[str, Axis] = {}
    fixed: dict[str, Any] = {}
    for given in texts:
        name, _, value = given.partition(":=")
        found = RANGE.fullmatch(value.strip())
        values = _spaced(given, *found.groups()) if found else _listed(given)
        if len(values) > 1:
            fixed.pop(name, None)
            axes[name] = Axis(name, _converted(given, values, _parameter(name, task)), found is not None)
        else:
            axes.pop(name, None)
            fixed |= parse_overrides([given])
    return list(axes.values()), fixed


def combinations(axes: Iterable[Axis]) -> list[dict[str, Value]]:
    """Every combination of the values, by parameter; the last axis varies fastest."""
    axes = list(axes)
    names = [axis.name for axis in axes]
    return [dict(zip(names, values, strict=True)) for values in product(*(axis.values for axis in axes))]


def described(values: Mapping[str, Value]) -> str:
    """Parameters in a line, as -p takes them."""
    return " ".join(f"{name}:={text(value)}" for name, value in values.items())


def _listed(given: str) -> list[Any]:
    """The values of `name:=value,value`."""
    name, separator, value = given.partition(":=")
    return list(parse_overrides([f"{name}:=[{value}]"])[name]) if separator else []


def _spaced(given: str, low: str, high: str, count: str | None) -> list[float]:
    """The values of `name:=low..high:count`."""
    amount = RANGE_VALUES if count is None else int(count)
    if not float(low) < float(high):
        raise PoloError(f"the range of '{given}' is empty; write the lower number first")
    if amount < 2:
        raise PoloError(f"the range of '{given}' must have at least 2 values, not {amount}")
    return [rounded_number(number) for number in np.linspace(float(low), float(high), amount).tolist()]


def rounded_number(number: float) -> float:
    """A number as results files write it."""
    return float(text(number))


def _converted(given: str, values: Sequence[Any], spec: Parameter) -> tuple[Value, ...]:
    """The values in the parameter's own type; those of a range of whole numbers are rounded."""
    ends = (values[0], values[-1])
    if isinstance(spec.default, int) and all(isinstance(end, float) and end.is_integer() for end in ends):
        values = list(dict.fromkeys(round(value) for value in values))
    found = [spec.convert(value) for value in values]
    words = [text(value) for value in found]
    if len(set(words)) < len(words):
        raise PoloError(f"'{given}' gives a value twice")
    return tuple(found)


def _parameter(name: str, task: type[Task]) -> Parameter:
    """The parameter of a name that episodes depend on."""
    check_names("-p", [name], task, ("planner_node",))
    rows = {row.name: row for row in node_table("planner_node", task)}
    effective = [*table(PlannerConfig), *setup_parameters(task), *reward_parameters(task)]
    if name not in {row.name for row in effective} | set(EFFECTIVE):
        raise PoloError(
            f"an episode without ROS does not depend on {name}; vary parameters of planning, reward.*, "
            f"setup.*, {', '.join(EFFECTIVE)}"
        )
    return rows[name]
