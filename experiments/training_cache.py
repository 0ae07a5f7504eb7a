"""What experiments on learning share: values trained once for many jobs, and lives lived with them."""

import csv
import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polo_ros.agent.agent import Agent
from polo_ros.agent.episode import Episode, take_steps
from polo_ros.agent.scores import longest_run
from polo_ros.agent.training import train
from polo_ros.errors import ExplodedError
from polo_ros.files import write_atomically
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.planner import Planner
from polo_ros.planner.value import ValueEnsemble

# of a humanoid's root, in m: what the paper's reward asks for; `Task.achieved` wants an upright torso as well
STANDING = 1.0


@dataclass(frozen=True)
class Training:
    """What came of a whole training.

    Attributes:
      value: None where it exploded.
      episodes: the rows of its metrics.csv, those before the explosion where it exploded.
      cpu_time: of learning, in s.
    """

    value: ValueEnsemble | None
    episodes: list[dict[str, str]]
    cpu_time: float


def settings_of(task: str, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a task's own file with some changed, on one thread: jobs run side by side."""
    return settings_for(task, None, {**overrides, "threads": 1})


def learned(settings: Settings, steps: int, episode_steps: int, seed: int, folder: Path) -> ValueEnsemble:
    """The value function that `polo train` makes of some settings.

    Whichever job asks first trains it; others wait for it. An interrupted training goes on where it
    stopped.

    Args:
      settings, steps, episode_steps, seed: as for `polo_ros.agent.training.train`.
      folder: of the training; its own for each value function.
    """
    weights = folder / "weights.safetensors"
    with locked(folder):
        if not weights.exists():
            resume = (folder / "checkpoint.safetensors").exists()
            train(settings, steps, episode_steps, seed, folder, resume)
    value, _ = load_value(str(weights), settings.task)
    return value


def trained(settings: Settings, steps: int, episode_steps: int, seed: int, folder: Path) -> Training:
    """As `learned`, with the computing that it took.

    An interrupted training begins anew: nobody counted its computing. Exploded values are an outcome.
    """
    weights, record = folder / "weights.safetensors", folder / "training.json"
    with locked(folder):
        if not record.exists():
            (folder / "checkpoint.safetensors").unlink(missing_ok=True)
            exploded, began = False, time.process_time()
            try:
                train(settings, steps, episode_steps, seed, folder, resume=False)
            except ExplodedError:
                exploded = True
            outcome = {"exploded": exploded, "cpu_time": round(time.process_time() - began, 3)}
            write_atomically(record, (json.dumps(outcome) + "\n").encode())
    outcome = json.loads(record.read_text())
    value = None if outcome["exploded"] else load_value(str(weights), settings.task)[0]
    with (folder / "metrics.csv").open() as file:
        next(file)  # the command
        return Training(value, list(csv.DictReader(file)), outcome["cpu_time"])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lived(settings: Settings, value: ValueEnsemble | None, seed: int, steps: int) -> Episode:
    """One episode of acting without learning."""
    planner = Planner(settings.task, settings.planner, seed, threads=1)
    planner.value = value
    agent = Agent(settings.task, planner, seed=seed)
    return Episode(settings.task, list(take_steps(agent, steps)))


def longest_up(episode: Episode) -> int:
    """For how many control periods on end a humanoid's root was above 1 m, at most."""
    return longest_run(bool(episode.task.measured(step.report.view) > STANDING) for step in episode.steps)
