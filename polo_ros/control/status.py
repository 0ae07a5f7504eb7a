"""The status of a component, as shown on /diagnostics."""

from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """The severity, with the numbers of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Status:
    """A level, one sentence and named values."""

    level: Level
    text: str
    values: dict[str, object] = field(default_factory=dict)
