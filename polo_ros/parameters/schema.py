"""One declarative table for every parameter.

A configuration is a frozen dataclass whose fields are made by `parameter`. The table of a class feeds
its validation, the ROS 2 declarations with their ranges, the YAML reader and the documentation, so that
these cannot disagree.
"""

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from polo_ros.errors import PoloError

C = TypeVar("C")
Value = bool | int | float | str | tuple[Any, ...]


@dataclass(frozen=True)
class Parameter:
    """A parameter's name, default, range and meaning.

    Attributes:
      name: as ROS 2 and YAML spell it; a dot separates groups.
      default: also fixes the type: bool, int, float, str or a tuple of one of these.
      low, high: the closed range of a number; None where there is none.
      choices: the allowed strings; empty where any will do.
      dynamic: whether it may change while the node runs.
      description: one sentence, with the unit.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    dynamic: bool = True

    @property
    def type_name(self) -> str:
        """The type as the documentation writes it."""
        if isinstance(self.default, tuple):
            element = type(self.default[0]).__name__ if self.default else "str"
            return f"list of {element}"
        return type(self.default).__name__

    def convert(self, value: Any) -> Value:
        """The value in the parameter's own type.

        Raises:
          PoloError: the value is of another type, not finite, out of range or not among the choices.
        """
        if isinstance(self.default, tuple):
            return self._convert_list(value)
        kind = type(self.default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            # YAML has whole numbers that no float can hold
            value = float(value) if abs(value) <= sys.float_info.max else math.inf * (1 if value > 0 else -1)
        if kind is str and value is None:
            value = ""  # YAML reads an empty value as None, as in `weights_file:` or -p weights_file:=
        if type(value) is not kind:
            raise PoloError(f"{self.name} must be of type {kind.__name__}, not {value!r}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_range(value)
        if self.choices and value not in self.choices:
            raise PoloError(f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}")
        checked: Value = value
        return checked

    def _check_range(self, value: float) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            raise PoloError(f"{self.name} must be finite, not {value}")
        too_low = self.low is not None and value < self.low
        too_high = self.high is not None and value > self.high
        if too_low or too_high:
            raise PoloError(f"{self.name} must lie in [{self.low}, {self.high}], not {value!s:.40}")

    def _convert_list(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise PoloError(f"{self.name} must be a list, not {value!r}")
        assert isinstance(self.default, tuple)
        example = self.default[0] if self.default else ""
        element = dataclasses.replace(self, default=example)
        # ROS 2 has no type for an empty list: [""] stands for it, also in what `ros2 param dump` writes
        return tuple(element.convert(item) for item in value if item != "")


def parameter(
    default: Value,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    dynamic: bool = True,
    name: str = "",
) -> Any:
    """A dataclass field that carries its `Parameter`; `name` is given where it is not the field's."""
    spec = Parameter(name, default, description, low, high, choices, dynamic)
    return dataclasses.field(default=default, metadata={"parameter": spec})


def table(config: type[Any] | Any) -> tuple[Parameter, ...]:
    """The parameters of a configuration class, in the order of its fields."""
    rows = []
    for item in dataclasses.fields(config):
        spec: Parameter = item.metadata["parameter"]
        rows.append(dataclasses.replace(spec, name=spec.name or item.name))
    return tuple(rows)


def build(config: type[C], values: Mapping[str, Any]) -> C:
    """A configuration from plain values; missing ones take their defaults.

    Raises:
      PoloError: an unknown name, a wrong type or range, or values that do not go together (the class's
        own `check` method, where it has one).
    """
    specs = {spec.name: spec for spec in table(config)}
    unknown = sorted(set(values) - set(specs))
    if unknown:
        raise PoloError(
            f"unknown parameter {', '.join(unknown)} for {config.__name__}; known are {', '.join(specs)}"
        )
    fields = {}
    for item, spec in zip(dataclasses.fields(config), specs.values(), strict=True):  # type: ignore[arg-type]
        if spec.name in values:
            fields[item.name] = spec.convert(values[spec.name])
    made = config(**fields)
    check = getattr(made, "check", None)
    if check is not None:
        check()
    return made


def values_of(config: Any) -> dict[str, Value]:
    """The values of a configuration by parameter name; `build` takes them back."""
    names = [spec.name for spec in table(config)]
    fields = [getattr(config, item.name) for item in dataclasses.fields(config)]
    return dict(zip(names, fields, strict=True))
