"""Runs in lockstep that are judged as getup's goals are: upright for the hold time, and at the end."""

import numpy as np

from experiments.training_cache import run_episode
from polo_ros.agent.scores import score
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.sweeps.results_file import Row


def judged_run(settings: Settings, value: ValueEnsemble | None, seed: int, steps: int) -> Row:
    """What a run comes to.

    Args:
      settings: the task and its planner.
      value: to plan with; None for none.
      seed: of the start state and of planning.
      steps: control periods.

    Returns:
      `success`: 1 where the task was achieved for its hold time without interruption, and at the end.
      `first_achieved`, `achieved_seconds`, `longest_hold`: in s; the first is not a number where never.
      `mean_reward`: per control period.
    """
    task = settings.task
    episode = run_episode(settings, value, seed, steps)
    achieved = np.array([step.achieved for step in episode.steps])
    longest = score(task, episode.states).longest_hold
    return {
        "success": int(achieved[-1] and longest >= task.hold_time),
        "first_achieved": float(np.argmax(achieved) * task.timestep) if achieved.any() else float("nan"),
        "achieved_seconds": float(achieved.sum() * task.timestep),
        "longest_hold": longest,
        "mean_reward": float(episode.rewards.mean()),
    }
