"""The interface of a controller: its parameters and where its results go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from polo_ros.arrays import Array
from polo_ros.control.command_history import Transition
from polo_ros.control.config import PlannerNodeConfig
from polo_ros.planner import PlannerConfig, PlanReport


@dataclass(frozen=True)
class ControllerSettings:
    """The parameters of a controller.

    Attributes:
      node: of control itself, safety included.
      planner: of planning.
      reward_weights: of the task's reward terms, by name.
    """

    node: PlannerNodeConfig
    planner: PlannerConfig
    reward_weights: Mapping[str, float]


@dataclass(frozen=True)
class ControllerOutputs:
    """Where a controller's results go; any of its threads may call.

    Attributes:
      send: a control (nu,), the stamp in ns of the state that it answers, and the controls (n, nu) that are
        expected to follow it, one a control period, fewer than `trajectory_points`.
      record: transitions that have become known, in order.
      show: the report of a plan, before the next plan is made.
      warn: a sentence for the log.
    """

    send: Callable[[Array, int, Array], None]
    record: Callable[[list[Transition]], None]
    show: Callable[[PlanReport], None]
    warn: Callable[[str], object]
