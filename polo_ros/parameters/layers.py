"""Parameter files in layers: the values that a node gets, and entries that no node would read."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from polo_ros.errors import PoloError
from polo_ros.parameters.node_tables import NODES, node_table
from polo_ros.parameters.yaml_files import EVERY_NODE, WILDCARDS, ParameterFile, matches, parts_of
from polo_ros.tasks import Task, task_class

# parameters that every ROS 2 node has by itself
ROS_PARAMETERS = ("use_sim_time", "start_type_description_service")
ROS_PREFIXES = ("qos_overrides.",)
# how similar a node's name must be to one of this package to count as misspelt: planner is similar to
# planner_node, the planner_server of another package is not
SIMILAR_NODES = 0.7


def given_values(layers: Iterable[ParameterFile], name: str) -> dict[str, Any]:
    """The parameters of the node with an absolute name; later layers replace what earlier ones say."""
    found: dict[str, Any] = {}
    for layer in layers:
        found |= layer.values(name)
    return found


def check_layers(layers: Sequence[ParameterFile], name: str, node: str, default_task: str) -> list[str]:
    """Refuse what a node would ignore: a misspelt parameter or node, and blocks for other namespaces alone.

    Args:
      layers: what the node is given.
      name: the node's absolute name.
      node: which of `NODES` it is.
      default_task: where no layer gives one.

    Returns:
      Names of nodes of other packages that the layers have parameters for.

    Raises:
      PoloError: names what is wrong and, where it is a misspelling, what would be right.
    """
    others: list[str] = []
    for layer in layers:
        others += _check_nodes(layer, name, node)
    task = task_class(str(given_values(layers, name).get("task", default_task)))
    for layer in layers:
        for key, parameters in layer.blocks.items():
            if matches(key, name):
                wild = parts_of(key)[-1] in WILDCARDS
                check_names(layer.path, parameters, task, tuple(NODES) if wild else (node,))
    return sorted(set(others))


def check_names(
    source: Path | str, names: Iterable[str], task: type[Task], nodes: Sequence[str] = tuple(NODES)
) -> None:
    """Refuse parameters that none of some nodes has; by default, that no node has.

    Raises:
      PoloError: names the first of them, and what was probably meant.
    """
    tables = {one: [row.name for row in node_table(one, task)] for one in NODES}
    known = list(dict.fromkeys(name for node in nodes for name in tables[node]))
    for name in names:
        if name in known or name in ROS_PARAMETERS or name.startswith(ROS_PREFIXES):
            continue
        owners = [one for one, table in tables.items() if name in table]
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        hint = f"; it belongs to {' and '.join(owners)}" if owners else hint
        lacking = f"{' and '.join(nodes)} {'has' if len(nodes) == 1 else 'have'} no"
        lacking = "no node has a" if len(nodes) == len(NODES) else lacking
        raise PoloError(f"{source}: {lacking} parameter {name}{hint}")


def _check_nodes(layer: ParameterFile, name: str, node: str) -> list[str]:
    """Names of nodes of other packages in a layer; raises where none of what is for this node reaches it."""
    own = parts_of(name)[-1]
    others, mine = [], []
    for key in layer.blocks:
        last = parts_of(key)[-1]
        if last in WILDCARDS or last in (own, node):
            mine.append(key)
        elif last not in NODES:
            close = difflib.get_close_matches(last, NODES, 1, SIMILAR_NODES)
            if close:
                raise PoloError(f"{layer.path}: there is no node {last}; did you mean {close[0]}?")
            others.append(last)
    if mine and not any(matches(key, name) for key in mine):
        raise PoloError(
            f"{layer.path} has parameters for {', '.join(mine)}, but this node is {name}; "
            f"write /**/{own} for any namespace"
        )
    return others


def name_without_ros(layers: Iterable[ParameterFile], node: str) -> str:
    """The absolute name of a node by which `polo` looks for its parameters: the namespace is the layers'.

    Raises:
      PoloError: the layers are for robots in several namespaces.
    """
    keys = [parts_of(key) for layer in layers for key in layer.blocks]
    spaces: set[str] = set()
    inside = ""
    for *above, last in keys:
        space = "/".join(part for part in above if part not in WILDCARDS)
        if (space and last in (*WILDCARDS, *NODES)) or (last in NODES and not set(above) & set(WILDCARDS)):
            spaces.add(f"/{space}")
        if "*" in above:
            inside = "/robot"  # a pattern such as /*/planner_node is for any namespace but none
    if len(spaces) > 1:
        raise PoloError(
            f"the parameters are for several namespaces ({', '.join(sorted(spaces))}); "
            f"give those of one robot"
        )
    return f"{(spaces.pop() if spaces else inside).rstrip('/')}/{node}"


def overrides_layer(values: Mapping[str, Any], source: str = "-p") -> ParameterFile:
    """Single parameters for every node that has one of that name, as a layer."""
    return ParameterFile(source, {EVERY_NODE: values})
