"""ROS 2 parameter files and `name:=value` texts, read without ROS and without MuJoCo."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import yaml

from polo_ros.errors import PoloError
from polo_ros.files import write_atomically

# a key with the last part "*" or "**" is for every node of its namespaces
WILDCARDS = ("*", "**")
EVERY_NODE = "/**"
PARAMETERS = "ros__parameters"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as ROS 2 reads it: 1e-3 is a number. A key that appears twice in a mapping is an error."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            raise PoloError(f"the key {key.value} appears twice (line {key.start_mark.line + 1}); keep one")
        seen.add(str(key.value))
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)
# launch writes a parameter that is a list of texts so
_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _Loader.construct_sequence)


@dataclass(frozen=True)
class ParameterFile:
    """The parameters of some nodes, as in a ROS 2 parameter file.

    Attributes:
      path: where it was read from; a description for errors where it was no file.
      blocks: the parameters of each key by dotted name. A key is an absolute node name in which `*` stands
        for one part and `**` for any number of parts.
    """

    path: Path | str
    blocks: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> "ParameterFile":
        """Read and parse a file.

        Raises:
          PoloError: the file is missing, is no YAML, or not a ROS 2 parameter file.
        """
        content = _parse(_read(path), path)
        if not isinstance(content, dict):
            raise PoloError(f"{path} is not a ROS 2 parameter file; it must map /**/NODE to {PARAMETERS}")
        return cls(path, _merged(content, path))

    @classmethod
    def parse_overrides(cls, text: str) -> "ParameterFile":
        """Read overrides: a YAML file, or YAML itself, such as `{horizon: 20}`.

        Either is a ROS 2 parameter file, or plain parameters for every node that has one of that name.

        Raises:
          PoloError: a missing file, no YAML, or no mapping.
        """
        inline = "{" in text or "\n" in text or re.search(r":\s", text)
        source: Path | str = f"overrides '{shorten(text, 60)}'" if inline else Path(text)
        content = _parse(text if isinstance(source, str) else _read(source), source)
        if not isinstance(content, dict):
            raise PoloError(f"{source} must map parameters to values, such as {{horizon: 20}}")
        if _holds_nodes(content):
            return cls(source, _merged(content, source))
        return cls(source, {EVERY_NODE: flatten(content)})

    def write(self, path: Path) -> Path:
        """Write the parameters as a ROS 2 parameter file and return its path.

        Raises:
          PoloError: the file could not be written.
        """
        content = {key: {PARAMETERS: dict(parameters)} for key, parameters in self.blocks.items()}
        write_atomically(path, yaml.safe_dump(content).encode())
        return path

    def values(self, name: str) -> dict[str, Any]:
        """The parameters of the node with an absolute name; a later block replaces an earlier one's."""
        found: dict[str, Any] = {}
        for key, parameters in self.blocks.items():
            if matches(key, name):
                found |= parameters
        return found


def matches(key: str, name: str) -> bool:
    """Whether a key of a parameter file is for the node with an absolute name, as ROS 2 decides."""
    wild = {"*": r"/\w+", "**": r"(?:/\w+)*"}
    pattern = "".join(wild.get(part, f"/{re.escape(part)}") for part in parts_of(key))
    return re.fullmatch(pattern, name) is not None


def parts_of(key: str) -> list[str]:
    """The parts of a key or of a node's name between slashes."""
    return key.strip("/").split("/")


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
            found[name] = _load(value)
        except yaml.YAMLError:
            raise PoloError(f"the value of '{text}' is not valid YAML") from None
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise PoloError(f"{path} could not be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise PoloError(f"{path} is not valid YAML: {error}") from None


def _load(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except PoloError:
        raise
    except (ValueError, RecursionError) as error:  # dates such as 2026-13-01, thousands of digits or brackets
        raise yaml.YAMLError(str(error)) from None
    finally:
        loader.dispose()


def _parse(text: str, source: Path | str) -> Any:
    try:
        return _load(text)
    except yaml.YAMLError as error:
        raise PoloError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from None
    except PoloError as error:
        raise PoloError(f"{source}: {error}") from None


def _merged(tree: Mapping[Any, Any], source: Path | str) -> dict[str, dict[str, Any]]:
    """The parameters of each key; planner_node and /planner_node are the same key."""
    found: dict[str, dict[str, Any]] = {}
    for key, parameters in _blocks(tree, source):
        found.setdefault(key, {}).update(parameters)
    return found


def _blocks(
    tree: Mapping[Any, Any], source: Path | str, above: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The key and the parameters of each block; namespaces may be nested or joined by slashes."""
    for name, block in tree.items():
        key = f"{above}/{str(name).strip('/')}"
        if not isinstance(block, Mapping) or not block:
            raise PoloError(f"{source}: {key} must hold {PARAMETERS} with a mapping")
        if PARAMETERS in block:
            parameters = block[PARAMETERS]
            if parameters is not None and not isinstance(parameters, Mapping):
                raise PoloError(f"{source}: {key} must hold {PARAMETERS} with a mapping")
            yield key, flatten(parameters or {})
        yield from _blocks({k: v for k, v in block.items() if k != PARAMETERS}, source, key)


def _holds_nodes(tree: Mapping[Any, Any]) -> bool:
    return any(
        isinstance(value, Mapping) and (PARAMETERS in value or _holds_nodes(value)) for value in tree.values()
    )
