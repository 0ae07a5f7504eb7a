"""Parameters that a user has changed while a node ran, as a parameter file."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from polo_ros.parameters.layers import given_values
from polo_ros.parameters.node_tables import node_table
from polo_ros.parameters.yaml_files import PARAMETERS, ParameterFile
from polo_ros.tasks.task import Task

NOTE = """\
# What differs from the files that the nodes were started with.
# Add it to the params_file, or start with overrides:=<this file>.
"""


def changes(
    layers: Sequence[ParameterFile], name: str, node: str, task: type[Task], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The dynamic parameters of a running node that differ from what it was started with.

    Args:
      layers: the parameter files that the node was given.
      name: the node's absolute name.
      node: which of `NODES` it is.
      task: the class of its task.
      values: the present ones, by name.
    """
    given = given_values(layers, name)
    found = {}
    for spec in node_table(node, task):
        started = spec.convert(given.get(spec.name, spec.default))
        if spec.dynamic and spec.name in values and spec.convert(values[spec.name]) != started:
            found[spec.name] = values[spec.name]
    return found


def changes_file(by_node: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A ROS 2 parameter file with changed parameters by node, whatever the namespace."""
    content = {f"/**/{node}": {PARAMETERS: dict(values)} for node, values in by_node.items() if values}
    return f"{NOTE}{yaml.safe_dump(content, sort_keys=False) if content else '{}'}".encode()
