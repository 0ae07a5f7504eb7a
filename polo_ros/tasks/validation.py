"""What is found out about a task when it is made, rather than in the first plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np

from polo_ros.errors import PoloError, nearest

if TYPE_CHECKING:
    from polo_ros.tasks.task import Task


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
