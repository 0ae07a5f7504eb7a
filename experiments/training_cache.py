"""Trainings that are kept in folders, done once and resumed, and episodes with what they learned."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from polo_ros.agent.agent import Agent
from polo_ros.agent.episode import Episode, take_steps
from polo_ros.agent.scores import longest_run
from polo_ros.agent.training import COLUMNS as TRAIN_COLUMNS
from polo_ros.agent.training import train
from polo_ros.errors import ExplodedError
from polo_ros.files import share_path, write_atomically
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import Settings, settings_for
from polo_ros.planner import Planner
from polo_ros.planner.value import ValueEnsemble

# the height of a humanoid's root from which it counts as standing, in m; the paper's reward asks for no more
STANDING_HEIGHT = 1.0
# the parameter files that experiments build on where it is not the task's own: the paper's figures are of its
# torques and its reward
FILES = {"humanoid_getup": "humanoid_getup_paper_torque.yaml"}


@dataclass(frozen=True)
class Training:
    """The outcome of a training.

    Attributes:
      value: None if the values exploded.
      episodes: the rows of metrics.csv, one for each finished episode.
      cpu_time: of the training, in s; NaN of a training that came with the repository.
    """

    value: ValueEnsemble | None
    episodes: pd.DataFrame
    cpu_time: float


def settings_of(task: str, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a task's file with some changed, on one thread: jobs run side by side."""
    name = FILES.get(task)
    return settings_for(task, share_path("config", name) if name else None, {**overrides, "threads": 1})


def trained(
    settings: Settings, steps: int, episode_steps: int, seed: int, folder: Path, start: Path | None = None
) -> Training:
    """What `polo train` makes of some settings, from the folder if it was done before.

    An interrupted training continues from its checkpoint. Exploded values are an outcome, not an error. No
    two processes may train in one folder at the same time.

    Args:
      settings, steps, episode_steps, seed: as for `polo_ros.agent.training.train`.
      folder: of this training alone.
      start: the folder of a shorter training of the same settings, which this one continues.

    Raises:
      PoloError: as for `train`.
    """
    weights, outcome_file = folder / "weights.safetensors", folder / "training.json"
    checkpoint, metrics = folder / "checkpoint.safetensors", folder / "metrics.csv"
    if start is not None and not checkpoint.exists():
        write_atomically(metrics, (start / metrics.name).read_bytes())
        write_atomically(checkpoint, (start / checkpoint.name).read_bytes())
    if outcome_file.exists():
        outcome = json.loads(outcome_file.read_text())
    elif weights.exists() and not checkpoint.exists():  # came with the repository
        outcome = {"exploded": False, "cpu_time": float("nan")}
    else:
        outcome = _train(settings, steps, episode_steps, seed, folder)
        write_atomically(outcome_file, (json.dumps(outcome) + "\n").encode())
    # interrupted after the last checkpoint and before the weights were written, the checkpoint has them too
    source = weights if weights.exists() else checkpoint
    value = None if outcome["exploded"] else load_value(str(source), settings.task)[0]
    # an interruption between a row and its checkpoint makes the row come twice
    episodes = pd.read_csv(metrics, comment="#").drop_duplicates("steps", keep="last")
    return Training(value, episodes.reindex(columns=TRAIN_COLUMNS), outcome["cpu_time"])


def _train(settings: Settings, steps: int, episode_steps: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train from the folder's checkpoint, if any; whether the values exploded, and the CPU time in s."""
    checkpoint = folder / "checkpoint.safetensors"
    resume, done, earlier, exploded = checkpoint.exists(), 0, 0.0, False
    if resume:
        _, metadata = read_tensors(checkpoint, "the checkpoint")
        done, earlier = int(metadata["agent_steps"]), float(metadata.get("cpu_time", "nan"))
    began = time.process_time()
    try:
        if not resume or done < steps:
            train(settings, steps, episode_steps, seed, folder, resume)
    except ExplodedError:
        exploded = True
    return {"exploded": exploded, "cpu_time": round(earlier + time.process_time() - began, 3)}


def run_episode(settings: Settings, value: ValueEnsemble | None, seed: int, steps: int) -> Episode:
    """One episode of acting without learning."""
    planner = Planner(settings.task, settings.planner, seed, threads=1)
    planner.value = value
    agent = Agent(settings.task, planner, seed=seed)
    return Episode(settings.task, list(take_steps(agent, steps)))


def longest_standing(episode: Episode) -> int:
    """The longest run of control periods with a humanoid's root above 1 m.

    `Task.achieved` wants an upright torso as well.
    """
    heights = (episode.task.measured(step.report.view) for step in episode.steps)
    return longest_run(bool(height > STANDING_HEIGHT) for height in heights)
