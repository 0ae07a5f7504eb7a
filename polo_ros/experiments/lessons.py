"""What experiments on learning share: values trained once for many jobs, and lives lived with them."""

import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polo_ros.agent import Agent
from polo_ros.config import Settings, settings_for
from polo_ros.learner.checkpoint import load_value
from polo_ros.planner import Planner
from polo_ros.training import Episode, live, train
from polo_ros.value import ValueEnsemble


def settings_of(task: str, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a task's own file with some changed, on one thread: jobs run side by side."""
    return settings_for(task, None, {**overrides, "threads": 1})


def learned(settings: Settings, steps: int, episode_steps: int, seed: int, folder: Path) -> ValueEnsemble:
    """The value function that `polo train` makes of some settings.

    Whichever job asks first trains it; others wait for it. An interrupted training goes on where it
    stopped.

    Args:
      settings, steps, episode_steps, seed: as for `polo_ros.training.train`.
      folder: of the training; its own for each value function.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "weights.safetensors"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not weights.exists():
            resume = (folder / "checkpoint.safetensors").exists()
            train(settings, steps, episode_steps, seed, folder, resume)
    value, _ = load_value(str(weights), settings.task)
    return value


def lived(settings: Settings, value: ValueEnsemble | None, seed: int, steps: int) -> Episode:
    """One episode of acting without learning."""
    planner = Planner(settings.task, settings.planner, seed, threads=1)
    planner.value = value
    agent = Agent(settings.task, planner, seed=seed)
    return Episode(settings.task, list(live(agent, steps)))
