"""`polo train`: Algorithm 1 without ROS, with metrics, a film strip, weights and a checkpoint."""

import csv
import io
import math
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import torch

from polo_ros.agent.agent import Agent
from polo_ros.agent.episode import Episode, check_counts, rounded, take_steps
from polo_ros.agent.provenance import check_same_settings, description, resumable_settings
from polo_ros.agent.scores import longest_run
from polo_ros.agent.tensorboard import tensorboard_events
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.checkpoint import Checkpoint
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin, new_epoch
from polo_ros.learner.weights import encode_value
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.progress import progress_bar
from polo_ros.viewer.figures import in_words

COLUMNS = (
    "steps", "episode", "sim_time", "reward", "value", "value_std", "effective_sample_size",
    "plan_time", "longest_hold", "updates", "loss", "target_mean", "wall_time",
)  # fmt: skip


class Spent(NamedTuple):
    """Wall and CPU time of a training so far, in s."""

    wall: float
    cpu: float


def train(
    settings: Settings,
    steps: int,
    episode_steps: int,
    seed: int,
    out: Path,
    resume: bool,
    tensorboard: bool = False,
) -> Path:
    """Run Algorithm 1 of the paper.

    Writes metrics.csv with a row an episode, a film strip of the last episode, the weights and a
    checkpoint; the first line of metrics.csv gives all settings that differ from the defaults. The checkpoint
    is written at the end of every episode, and the last three are kept; a resumed run equals an uninterrupted
    one to the bit.

    Args:
      settings: see `settings_for`.
      steps: control periods in all.
      episode_steps: control periods between resets.
      seed: of start states, sampling noise, networks and minibatches.
      out: the folder.
      resume: go on from the folder's checkpoint.
      tensorboard: write the rows as TensorBoard's events, too.

    Returns:
      The path of the weights.

    Raises:
      PoloError: nothing to do, nothing to resume from, other settings than those of the run to resume, a full
        disk, or no tensorboard.
      ExplodedError: the values have exploded.
    """
    check_counts(steps=steps, episode=episode_steps)
    if seed < 0:
        raise PoloError(f"seed must be at least 0, not {seed}")
    check_rewards(settings)
    torch.set_num_threads(1)  # networks this small gain nothing from more
    task = settings.task
    checkpoint, weights = out / "checkpoint.safetensors", out / "weights.safetensors"
    agent, learner = make_agent(settings, seed)
    epoch, spent = new_epoch(), Spent(0.0, 0.0)
    if resume:
        loaded = resume_from(checkpoint, agent, learner, steps)
        check_same_settings(loaded, resumable_settings(settings, seed, episode_steps))
        spent = time_spent(loaded)
    elif checkpoint.exists():
        raise PoloError(f"{checkpoint} exists; give --resume to go on from it or another --out")
    out.mkdir(parents=True, exist_ok=True)
    heading = description(settings, steps=steps, episode_steps=episode_steps, seed=seed)
    start_metrics(out / "metrics.csv", f"# polo train {task.name} {heading}", agent.steps)
    common = resumable_settings(settings, seed, episode_steps)
    began, cpu_began = time.monotonic() - spent.wall, time.process_time() - spent.cpu
    progress = progress_bar(steps, f"train {task.name}", "step", agent.steps)
    with (
        closing(learner),
        (out / "metrics.csv").open("a", newline="") as file,
        tensorboard_events(out, tensorboard, agent.steps) as write_events,
        progress,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        while agent.steps < steps:
            episode = Episode(task, [])
            for step in take_steps(agent, min(episode_steps, steps - agent.steps)):
                episode.steps.append(step)
                progress.update()
            wall = time.monotonic() - began
            row = metrics_row(agent, learner, episode) | {"wall_time": wall}
            writer.writerow({name: rounded(cell) for name, cell in row.items()})
            file.flush()
            write_events(agent.steps, row)
            progress.set_postfix(reward=f"{row['reward']:.3f}", hold=f"{row['longest_hold']:.2f}s")
            times = {"wall_time": f"{wall:.1f}", "cpu_time": f"{time.process_time() - cpu_began:.3f}"}
            learner.settle()  # so that a resumed run equals this one
            learner.save(checkpoint, epoch, {**common, **agent.counters(), **times})
            if agent.steps < steps:
                agent.reset()
    origin = Origin.of(task, settings.learner.discount, epoch, learner.sequence)
    write_atomically(weights, encode_value(learner.value(), origin))
    episode.draw(
        out / "last_episode.png", f"{in_words(task.name)}, seed {seed}: last episode of {steps} steps"
    )
    return weights


def check_rewards(settings: Settings) -> None:
    """One process has one reward: refuse a parameter file that gives planner and learner different ones.

    Raises:
      PoloError: names the first difference.
    """
    for name, weight in settings.task.weights.items():
        other = settings.learner_reward_weights[name]
        if other != weight:
            raise PoloError(
                f"reward.{name} is {weight:g} for planner_node and {other:g} for learner_node; "
                f"give both nodes the same"
            )


def start_metrics(path: Path, heading: str, steps: int) -> None:
    """Begin metrics.csv, or cut it back to the checkpoint that training resumes from.

    A run that was interrupted between a row and its checkpoint repeats that episode: its row is dropped, as
    is a line that was not written whole.

    Args:
      path: of metrics.csv.
      heading: the first line.
      steps: of the checkpoint; 0 begins anew.
    """
    kept: list[Mapping[str, str]] = []
    if steps and path.exists():
        for row in csv.reader(path.read_text(errors="replace").splitlines()[2:]):
            whole = len(row) == len(COLUMNS) and row[0].isdigit()
            if whole and int(row[0]) <= steps:
                kept.append(dict(zip(COLUMNS, row, strict=True)))
    text = io.StringIO(newline="")
    text.write(f"{heading}\n")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(kept)
    write_atomically(path, text.getvalue().encode())


def make_agent(settings: Settings, seed: int) -> tuple[Agent, Learner]:
    """An agent that learns, and its learner, from settings and a seed."""
    threads = settings.planner_node.threads
    learner = Learner(settings.task, settings.learner, seed, threads)
    planner = Planner(settings.task, settings.planner, seed, threads)
    return Agent(settings.task, planner, learner, seed), learner


def resume_from(checkpoint: Path, agent: Agent, learner: Learner, steps: int) -> Checkpoint:
    """Restore agent and learner from a checkpoint of `train`.

    Returns:
      The checkpoint.

    Raises:
      PoloError: the checkpoint is missing, corrupted or of another program, or has all steps already.
    """
    loaded = learner.load(checkpoint)
    if "agent_steps" not in loaded.metadata:
        raise PoloError(f"{checkpoint} was not written by polo train; load it with the learner node")
    agent.resume(loaded)
    if agent.steps >= steps:
        raise PoloError(f"{checkpoint} already has {agent.steps} steps; give --steps more than that")
    return loaded


def time_spent(loaded: Checkpoint) -> Spent:
    """The time that a training took up to its checkpoint.

    Raises:
      PoloError: the checkpoint does not state it.
    """
    try:
        wall = float(loaded.metadata["wall_time"])
        # checkpoints of older versions lack the CPU time
        cpu = float(loaded.metadata.get("cpu_time", "nan"))
    except (KeyError, ValueError):
        wall = cpu = math.nan
    if not 0.0 <= wall < math.inf:
        raise PoloError(f"{loaded.what} have no usable wall_time; use another file")
    return Spent(wall, cpu)


def metrics_row(agent: Agent, learner: Learner, episode: Episode) -> dict[str, Any]:
    """The row of an episode that has just ended, by column, without `wall_time`."""
    task = episode.task
    update = next((step.update for step in reversed(episode.steps) if step.update is not None), None)
    return {
        "steps": agent.steps,
        "episode": agent.episode,
        "sim_time": agent.steps * task.timestep,
        "reward": float(episode.rewards.mean()),
        "value": episode.mean("value"),
        "value_std": episode.mean("value_std"),
        "effective_sample_size": episode.mean("effective_sample_size"),
        "plan_time": episode.mean("compute_time"),
        "longest_hold": longest_run([step.achieved for step in episode.steps]) * task.timestep,
        "updates": learner.sequence,
        "loss": update and update.loss,
        "target_mean": update and update.target_mean,
    }
