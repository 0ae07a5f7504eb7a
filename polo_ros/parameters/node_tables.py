"""The parameters of the nodes around those of planner and learner, and every node's whole table."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from polo_ros.control.config import CommonConfig, PlannerNodeConfig, SimulatorNodeConfig
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.parameters.schema import Parameter, parameter, table
from polo_ros.planner.config import PlannerConfig
from polo_ros.tasks.task import Task

# of the parameters that fit a task to a robot
SETUP = "setup."


@dataclass(frozen=True)
class LearnerNodeConfig(CommonConfig):
    """The learner node, beside `LearnerConfig` and the reward's weights."""

    threads: int = parameter(1, "Threads of the targets' rollouts.", low=0, high=256, dynamic=False)
    weights_file: str = parameter(
        "", "Value function to start from without a checkpoint; as for the planner.", dynamic=False
    )
    checkpoint_path: str = parameter(
        "", "File to resume from and to save to; empty keeps nothing.", dynamic=False
    )
    checkpoint_period: float = parameter(
        30.0, "Time between automatic checkpoints, in s.", low=1.0, high=3600.0
    )
    experience_topics: tuple[str, ...] = parameter(
        ("experience",),
        "Topics of the robots that are learned from, each with its schema on <topic>/schema.",
        dynamic=False,
    )

    def check(self) -> None:
        """Check the topics.

        Raises:
          PoloError: there is none, or one comes twice.
        """
        topics = self.experience_topics
        if not topics or len(set(topics)) < len(topics):
            raise PoloError(
                f"experience_topics must name each robot's topic once, not {list(topics)}; "
                f"for example [robot1/experience, robot2/experience]"
            )


@dataclass(frozen=True)
class ViewerNodeConfig(CommonConfig):
    """The viewer node."""

    port: int = parameter(8080, "Port of the web page on localhost.", low=1024, high=65535, dynamic=False)
    rate: float = parameter(20.0, "Pictures per second.", low=1.0, high=60.0)


def reward_parameters(task: type[Task]) -> tuple[Parameter, ...]:
    """The reward's weights as parameters `reward.<term>`."""
    return tuple(
        Parameter(f"reward.{term.name}", term.weight, f"Weight of: {term.description}", term.low, term.high)
        for term in task.terms
    )


def setup_parameters(task: type[Task]) -> tuple[Parameter, ...]:
    """The fields of a task's setup as parameters `setup.<field>`, fixed while a node runs."""
    rows = table(task.setup_type)
    return tuple(dataclasses.replace(row, name=f"{SETUP}{row.name}", dynamic=False) for row in rows)


def setup_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `setup.<field>` among a node's parameters, by field."""
    return {name.removeprefix(SETUP): value for name, value in values.items() if name.startswith(SETUP)}


NODES: dict[str, tuple[type, ...]] = {
    "planner_node": (PlannerNodeConfig, PlannerConfig),
    "learner_node": (LearnerNodeConfig, LearnerConfig),
    "simulator_node": (SimulatorNodeConfig,),
    "viewer_node": (ViewerNodeConfig,),
}


def node_table(node: str, task: type[Task]) -> tuple[Parameter, ...]:
    """Every parameter of a node for a task."""
    rows = [row for config in NODES[node] for row in table(config)]
    rows.extend(setup_parameters(task))
    if node in ("planner_node", "learner_node"):
        rows.extend(reward_parameters(task))
    return tuple(rows)


def tuning_order(node: str, task: type[Task]) -> list[Parameter]:
    """Every parameter of a node for a task: first what one tunes, last what cannot be changed.

    What can be changed comes in this order: the algorithm's settings, the node's own, the reward's weights,
    and the node's own in groups, such as `safety.*`.
    """
    own = {row.name for row in table(NODES[node][0])}
    return sorted(node_table(node, task), key=lambda row: (not row.dynamic, "." in row.name, row.name in own))
