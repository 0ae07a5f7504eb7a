"""Checks of a task when it is made, so that faults do not first appear while planning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from polo_ros.errors import PoloError, nearest

if TYPE_CHECKING:
    from polo_ros.tasks.task import Task


# the attributes that the class of every task sets, besides the source of its model
ATTRIBUTES = {
    "name": "a string",
    "summary": "a sentence",
    "terms": "a tuple of RewardTerm",
    "features": "a tuple of Feature",
    "trace_sensor": "the name of a position sensor",
}


def require_attribute(task_class: type[Task], name: str, what: str) -> None:
    """Refuse a class without an attribute.

    Raises:
      PoloError: it lacks the attribute, which should be `what`.
    """
    if not hasattr(task_class, name):
        raise PoloError(f"class {task_class.__name__} has no '{name}'; a task's class sets it to {what}")


def check_class(task_class: type[Task]) -> None:
    """Look for the attributes that the class of every task sets.

    Raises:
      PoloError: one of them is missing.
    """
    for name, what in ATTRIBUTES.items():
        require_attribute(task_class, name, what)


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
    if task.has_reference:
        check_reference(task)
    task.start_state(np.random.default_rng(0))


def check_reference(task: Task) -> None:
    """Call `reference_controls` with a state of the model.

    Raises:
      PoloError: it gives something other than controls for each time.
    """
    state = task.state_of(mujoco.MjData(task.model))
    given, wanted = task.reference_controls(state[None], np.zeros(2)).shape, (1, 2, task.model.nu)
    if given != wanted:
        raise PoloError(f"reference_controls gives numbers of shape {given}, not {wanted}")
