"""Parameters as the page shows them: one field each, in groups."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str | list[Any]
READ_ONLY = "read-only"
# positions of a slider of floats
POSITIONS = 200


@dataclass(frozen=True)
class Field:
    """A parameter of a running node.

    Attributes:
      name: as ROS 2 spells it; a dot separates its group.
      value: the present one; also fixes the type.
      description: one sentence, with the unit.
      low, high: the closed range of a number; None where there is none.
      choices: the allowed texts; empty where any will do.
      read_only: whether only a restart can change it.
    """

    name: str
    value: Value
    description: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def group(self) -> str:
        """The group that the page shows it in; empty for the first screen."""
        if self.read_only:
            return READ_ONLY
        return self.name.rpartition(".")[0]

    @property
    def step(self) -> float:
        """The step of its slider: 1 for a whole number, else a round share of the range."""
        if self.low is None or self.high is None or isinstance(self.value, int):
            return 1
        return float(f"{(self.high - self.low) / POSITIONS:.1g}")


def grouped(fields: Iterable[Field]) -> dict[str, list[Field]]:
    """Fields by group in their order: first those without one, last those that cannot be changed."""
    found: dict[str, list[Field]] = {"": []}
    for field in fields:
        found.setdefault(field.group, []).append(field)
    if READ_ONLY in found:
        found[READ_ONLY] = found.pop(READ_ONLY)
    return {group: members for group, members in found.items() if members}


def parse_setting(text: str, fields: Iterable[Field]) -> tuple[str, Value]:
    """A name and a value as a user types them, `horizon:=20` or `horizon 20`, in the parameter's type.

    Raises:
      ValueError: it names no parameter that can be changed, or its value is of another type.
    """
    name, _, raw = text.replace(":=", " ").strip().partition(" ")
    known = {field.name: field for field in fields if not field.read_only}
    if name not in known:
        raise ValueError(f"no parameter {name or 'of that name'} can be changed here; write name:=value")
    value, kind = raw.strip(), type(known[name].value)
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise ValueError(f"{name} is true or false, not '{value}'")
        return name, value.lower() == "true"
    try:
        return name, kind(value)
    except ValueError:
        raise ValueError(f"{name} must be of type {kind.__name__}, not '{value}'") from None
