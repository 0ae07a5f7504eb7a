"""ROS 2 parameter files, read without ROS: one file configures the nodes and the one-process agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from polo_ros.control.config import PlannerNodeConfig
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.config import LearnerConfig
from polo_ros.parameters.node_tables import LearnerNodeConfig, node_table, reward_parameters
from polo_ros.parameters.schema import build, table
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks import make_task, task_class
from polo_ros.tasks.task import Task


def read_node_values(path: Path, node: str) -> dict[str, Any]:
    """The parameters that a file gives a node: those for all nodes, then the node's own.

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
        raise PoloError(f"{path} is not a ROS 2 parameter file; it must map /**/{node} to ros__parameters")
    values: dict[str, Any] = {}
    for key in ("/**", f"/**/{node}"):
        block = content.get(key, {})
        if not isinstance(block, dict) or not isinstance(block.get("ros__parameters", {}), dict):
            raise PoloError(f"{path}: {key} must hold ros__parameters with a mapping")
        values |= _flatten(block.get("ros__parameters", {}))
    return values


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


@dataclass(frozen=True)
class Settings:
    """What the one-process agent needs, as the nodes would read it.

    Attributes:
      task: with the file's reward weights.
      planner, learner: their settings.
      planner_node, learner_node: the nodes' own, of which the agent uses threads and weights_file.
    """

    task: Task
    planner: PlannerConfig
    learner: LearnerConfig
    planner_node: PlannerNodeConfig
    learner_node: LearnerNodeConfig


def parse_override(text: str) -> tuple[str, Any]:
    """A parameter as ROS 2 takes it on a command line, `name:=value`.

    Raises:
      PoloError: it has no `:=`, or the value is no YAML.
    """
    name, separator, value = text.partition(":=")
    if not separator:
        raise PoloError(f"'{text}' is not of the form name:=value")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError:
        raise PoloError(f"the value of '{text}' is not valid YAML") from None


def settings_for(
    task_name: str, path: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of a task from its own file in `config/`, or another one.

    Args:
      task_name: as in `polo tasks`.
      path: of the file.
      overrides: parameters in place of the file's, for whichever node knows the name.

    Raises:
      PoloError: an unknown task, a file that is of another task, or a bad parameter.
    """
    cls = task_class(task_name)
    if path is None:
        path = share_path("config", f"{task_name}.yaml")
    known = {node: {row.name for row in node_table(node, cls)} for node in ("planner_node", "learner_node")}
    values = {node: read_node_values(path, node) for node in known}
    for name, value in (overrides or {}).items():
        owners = [node for node, names in known.items() if name in names]
        if not owners:
            raise PoloError(f"no node has a parameter {name}")
        for node in owners:
            values[node][name] = value
    given = values["planner_node"].get("task", PlannerNodeConfig.task)
    if given != task_name:  # before its names are judged: another task has other reward terms
        raise PoloError(f"{path} is for task {given}, not {task_name}")
    for node, names in known.items():
        unknown = sorted(set(values[node]) - names)
        if unknown:
            raise PoloError(f"{path}: {node} has no parameter {', '.join(unknown)}")
    planner_node = _pick(PlannerNodeConfig, values["planner_node"])
    task = make_task(task_name, planner_node.model_path, planner_node.torque_scale)
    for spec in reward_parameters(cls):
        weight: Any = spec.convert(values["planner_node"].get(spec.name, spec.default))
        task.weights[spec.name.removeprefix("reward.")] = float(weight)
    return Settings(
        task=task,
        planner=_pick(PlannerConfig, values["planner_node"]),
        learner=_pick(LearnerConfig, values["learner_node"]),
        planner_node=planner_node,
        learner_node=_pick(LearnerNodeConfig, values["learner_node"]),
    )


def _pick(config: type[Any], values: Mapping[str, Any]) -> Any:
    names = {row.name for row in table(config)}
    return build(config, {name: value for name, value in values.items() if name in names})
