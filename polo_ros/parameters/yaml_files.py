"""ROS 2 parameter files, read without ROS."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from polo_ros.errors import PoloError


@dataclass(frozen=True)
class ParameterFile:
    """A parsed ROS 2 parameter file.

    Attributes:
      path: where it was read from.
      blocks: the parameters of each key, such as `/**` or `/**/planner_node`, by dotted name.
    """

    path: Path
    blocks: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "ParameterFile":
        """Read and parse a file.

        Raises:
          PoloError: the file is missing, is no YAML, or not a ROS 2 parameter file.
        """
        try:
            content = yaml.safe_load(path.read_text())
        except OSError as error:
            raise PoloError(f"{path} could not be read ({error.strerror})") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise PoloError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise PoloError(f"{path} is not a ROS 2 parameter file; it must map /**/NODE to ros__parameters")
        blocks = {}
        for key, block in content.items():
            parameters = block.get("ros__parameters", {}) if isinstance(block, dict) else None
            if not isinstance(parameters, dict):
                raise PoloError(f"{path}: {key} must hold ros__parameters with a mapping")
            blocks[str(key)] = flatten(parameters)
        return cls(path, blocks)

    def values(self, node: str) -> dict[str, Any]:
        """The parameters of a node by dotted name: those for all nodes, then the node's own."""
        return {**self.blocks.get("/**", {}), **self.blocks.get(f"/**/{node}", {})}


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping of dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Parameters as ROS 2 takes them on a command line, each `name:=value`.

    Raises:
      PoloError: one has no `:=`, or its value is no YAML.
    """
    found = {}
    for text in texts:
        name, separator, value = text.partition(":=")
        if not separator:
            raise PoloError(f"'{text}' is not of the form name:=value")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise PoloError(f"the value of '{text}' is not valid YAML") from None
    return found
