"""The tasks of the comparison, each with the settings that both sides ship for it."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.peers.cylinder_push import CylinderPush
from polo_ros.files import share_path
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import PlannerConfig
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Problem:
    """A task, its shipped settings, and the size of a plan.

    Attributes:
      task: model and reward for every planner.
      planner: our shipped settings; every planner gets its rollouts and horizon.
      weights_file: our shipped value function; empty if there is none.
      judo_name: the task's name in judo's registered settings; judo uses its defaults for unknown names.
      steps: control periods of an episode.
    """

    task: Task
    planner: PlannerConfig
    weights_file: str
    judo_name: str
    steps: int


def _shipped(name: str, judo_name: str, steps: int, file: str | None = None) -> Problem:
    settings = settings_for(name, share_path("config", file) if file else None)
    return Problem(settings.task, settings.planner, settings.planner_node.weights_file, judo_name, steps)


def cartpole_swingup() -> Problem:
    """Cart-pole swing-up, 5 s of simulated time."""
    return _shipped("cartpole_swingup", judo_name="cartpole", steps=250)


def humanoid_getup() -> Problem:
    """Humanoid getup with the paper's torques, which judo has too, 3.2 s of simulated time."""
    return _shipped("humanoid_getup", "humanoid_getup", 400, "humanoid_getup_paper_torque.yaml")


def cylinder_push() -> Problem:
    """Cylinder push, 5 s of simulated time. This package ships no settings for it and uses the defaults.

    Rollouts and horizon are those that judo ships: 32 rollouts of 1 s.
    """
    config = PlannerConfig(rollouts=32, horizon=50)
    return Problem(CylinderPush(), config, "", judo_name="cylinder_push", steps=250)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    make.__name__: make for make in (cartpole_swingup, cylinder_push, humanoid_getup)
}
