"""The settings of the one-process agent, from the file that configures the nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polo_ros.control.config import PlannerNodeConfig
from polo_ros.errors import PoloError
from polo_ros.files import config_path
from polo_ros.learner.config import LearnerConfig
from polo_ros.parameters.layers import (
    check_layers,
    check_names,
    given_values,
    name_without_ros,
    overrides_layer,
)
from polo_ros.parameters.node_tables import (
    NODES,
    LearnerNodeConfig,
    node_table,
    reward_parameters,
    setup_values,
)
from polo_ros.parameters.schema import build, table
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks import make_task, task_class
from polo_ros.tasks.task import Task

# the nodes whose work the one-process agent does
AGENT_NODES = ("planner_node", "learner_node")


@dataclass(frozen=True)
class Settings:
    """What the one-process agent needs, as the nodes would read it.

    Attributes:
      task: with the file's reward weights.
      planner, learner: their settings.
      planner_node, learner_node: the nodes' own; the agent uses threads and weights_file of them.
      learner_reward_weights: those of the learner node, by name; `task` has the planner node's.
    """

    task: Task
    planner: PlannerConfig
    learner: LearnerConfig
    planner_node: PlannerNodeConfig
    learner_node: LearnerNodeConfig
    learner_reward_weights: Mapping[str, float]


def settings_for(
    task_name: str,
    path: Path | ParameterFile | None = None,
    overrides: Mapping[str, Any] | None = None,
    layers: Sequence[ParameterFile] = (),
) -> Settings:
    """The settings of a task.

    Args:
      task_name: as in `polo tasks`, or the path of a task's file.
      path: of a ROS 2 parameter file, or its content; None for the task's own, and the defaults where it
        has none.
      overrides: parameters in place of all others, for each node that has a parameter of that name.
      layers: replace what the file says; later ones replace earlier ones.

    Raises:
      PoloError: an unknown task, a file of another task, an unknown or a bad parameter.
    """
    cls = task_class(task_name)
    path = path or config_path(task_name)
    files = [path if isinstance(path, ParameterFile) else ParameterFile.read(path)] if path else []
    check_names("-p", overrides or {}, cls)
    everything = [*files, *layers, overrides_layer(overrides or {})]
    names = {node: name_without_ros(everything, node) for node in NODES}
    for layer in everything:
        for name in names.values():
            given = layer.values(name).get("task", task_name)
            # checked first: another task has other reward terms
            if given not in (task_name, cls.name) and task_class(str(given)) is not cls:
                raise PoloError(f"{layer.path} is for task {given}, not {cls.name}")
    everything.append(overrides_layer({"task": task_name}))  # a file may give the name of its class
    for node, name in names.items():
        check_layers(everything, name, node, task_name)
    values = {}
    for node in AGENT_NODES:
        # a parameter for every node is left out for nodes that do not have it
        known = {row.name for row in node_table(node, cls)}
        mine = given_values(everything, names[node])
        values[node] = {name: value for name, value in mine.items() if name in known}
    planner_node = _pick(PlannerNodeConfig, values["planner_node"])
    task = make_task(
        task_name, planner_node.model_path, planner_node.torque_scale, setup_values(values["planner_node"])
    )
    task.weights.update(_reward_weights(cls, values["planner_node"]))
    return Settings(
        task=task,
        planner=_pick(PlannerConfig, values["planner_node"]),
        learner=_pick(LearnerConfig, values["learner_node"]),
        planner_node=planner_node,
        learner_node=_pick(LearnerNodeConfig, values["learner_node"]),
        learner_reward_weights=_reward_weights(cls, values["learner_node"]),
    )


def _reward_weights(task: type[Task], values: Mapping[str, Any]) -> dict[str, float]:
    """The weight of each reward term from a node's parameters."""
    found = {}
    for spec in reward_parameters(task):
        weight: Any = spec.convert(values.get(spec.name, spec.default))
        found[spec.name.removeprefix("reward.")] = float(weight)
    return found


def _pick(config: type[Any], values: Mapping[str, Any]) -> Any:
    names = {row.name for row in table(config)}
    return build(config, {name: value for name, value in values.items() if name in names})
