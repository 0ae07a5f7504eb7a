"""What is found out about a task when it is made, rather than in the first plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from polo_ros.errors import PoloError, nearest

if TYPE_CHECKING:
    from polo_ros.tasks.task import Task


def check_class(task_class: type[Task], chooses_model: bool) -> None:
    """Look for the attributes that every task needs.

    Args:
      task_class: the class of a task.
      chooses_model: whether it says by a method of its own where the model comes from.

    Raises:
      PoloError: one of them is missing.
    """
    needed = {
        "name": "a string",
        "summary": "a sentence",
        "model_source": "the path of an MJCF, the name of a robot description, or a function that returns a "
        "mujoco.MjSpec",
        "terms": "a tuple of RewardTerm",
        "features": "a tuple of Feature",
        "trace_sensor": "the name of a position sensor",
    }
    for name, what in needed.items():
        if not hasattr(task_class, name) and not (name == "model_source" and chooses_model):
            raise PoloError(f"class {task_class.__name__} has no '{name}'; a task's class sets it to {what}")


def check_task(task: Task) -> None:
    """Call every method of a task with a state of its model.

    Raises:
      PoloError: the model lacks what a method needs, or a method gives something other than the class says.
    """
    if task.home:
        task.home_keyframe()
    probe = task.observe(task.state_of(mujoco.MjData(task.model)))
    earned = task.reward_terms(probe)
    for name in task.weights:
        if name not in earned:
            raise PoloError(f"reward_terms returns no '{name}', which terms lists{nearest(name, earned)}")
    given, listed = task.value_features(probe).size, task.feature_count
    if given != listed:
        raise PoloError(f"value_features gives {given} numbers, features lists {listed}")
    task.achieved(probe)
    task.measured(probe)
    probe.sensor(task.trace_sensor)
    count = task.model.nu
    if task.neutral.shape != (count,):
        raise PoloError(f"neutral must be {count} numbers, one for each actuator")
    for what, numbers in (("noise_scale", task.noise_scale), ("rate_limits", task.rate_limits)):
        if numbers is not None and not (numbers.shape == (count,) and (numbers > 0.0).all()):
            raise PoloError(f"{what} must be {count} numbers above zero, one for each actuator")
    task.start_state(np.random.default_rng(0))
