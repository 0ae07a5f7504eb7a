"""`polo train` and `polo evaluate`: Algorithm 1 without ROS, with CSV, pictures and checkpoints."""

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from polo_ros.agent.agent import Agent, Step
from polo_ros.agent.scores import EpisodeScore, longest_run, score
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.learner import Learner
from polo_ros.learner.weights import Origin, encode_value
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task
from polo_ros.viewer.film_strip import film_strip

TRAIN_COLUMNS = (
    "steps", "episode", "sim_time", "reward", "value", "value_std", "effective_sample_size",
    "plan_time", "longest_hold", "updates", "loss", "target_mean", "wall_time",
)  # fmt: skip
EVALUATE_COLUMNS = (
    "seed", "solved", "solved_at", *(field.name for field in fields(EpisodeScore)), "mean_reward",
    "last_reward", "diverged_plans", "effective_sample_size", "plan_time_median", "value_correlation",
    "value_bias", "wall_time",
)  # fmt: skip
# a state's discounted return is trusted once this many steps of it were seen: 0.99^100 = 0.37, and the
# rest is filled in by the last rewards held for ever
SEEN_STEPS = 100


@dataclass
class Episode:
    """The steps of one episode and what they amount to."""

    task: Task
    steps: list[Step]

    @property
    def rewards(self) -> Array:
        """(n,), of the states visited."""
        return np.array([step.report.reward for step in self.steps])

    @property
    def states(self) -> Array:
        """(n, state_size), the states visited."""
        return np.array([step.state for step in self.steps])

    @property
    def solved_at(self) -> float | None:
        """When the task had been held for its hold time, in s; None if never."""
        needed = round(self.task.hold_time / self.task.timestep)
        run = 0
        for step in self.steps:
            run = run + 1 if step.achieved else 0
            if run >= needed:
                return step.time
        return None

    def mean(self, name: str) -> float:
        """The mean of a number of the plan reports."""
        return float(np.mean([getattr(step.report, name) for step in self.steps]))

    def strip(self, path: Path, title: str) -> None:
        """Write a film strip of the episode."""
        film_strip(self.task.model, self.states, np.array([step.time for step in self.steps]), path, title)


def train(settings: Settings, steps: int, episode_steps: int, seed: int, out: Path, resume: bool) -> Path:
    """Run Algorithm 1 and leave metrics, a film strip, weights and a checkpoint in a folder.

    The checkpoint is written at the end of every episode; a resumed run equals an uninterrupted one.

    Args:
      settings: see `settings_for`.
      steps: the agent's whole life, in control periods.
      episode_steps: between resets.
      seed: of everything.
      out: the folder.
      resume: go on from the folder's checkpoint.

    Returns:
      The path of the weights.

    Raises:
      PoloError: nothing to do, nothing to resume from, or a full disk.
      ExplodedError: the values have exploded.
    """
    check_counts(steps=steps, episode=episode_steps)
    if seed < 0:
        raise PoloError(f"seed must be at least 0, not {seed}")
    torch.set_num_threads(1)  # the networks are tiny: more threads only wait for each other
    task = settings.task
    threads = settings.planner_node.threads
    learner = Learner(task, settings.learner, settings.planner, seed, threads)
    agent = Agent(task, Planner(task, settings.planner, seed, threads), learner, seed)
    checkpoint, weights = out / "checkpoint.safetensors", out / "weights.safetensors"
    epoch = time.time_ns()
    spent = 0.0
    if resume:
        metadata = learner.load(checkpoint)
        if "agent_steps" not in metadata:
            raise PoloError(f"{checkpoint} was not written by polo train; load it with the learner node")
        agent.resume(metadata)
        spent = float(metadata["wall_time"])
        if agent.steps >= steps:
            raise PoloError(f"{checkpoint} already has {agent.steps} steps; give --steps more than that")
    elif checkpoint.exists():
        raise PoloError(f"{checkpoint} exists; give --resume to go on from it or another --out")
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic() - spent
    progress = tqdm(total=steps, initial=agent.steps, unit="step", desc=f"train {task.name}")
    with (out / "metrics.csv").open("a" if resume else "w", newline="") as file, progress:
        writer = csv.writer(file)
        if not resume:
            file.write(f"# polo train {task.name} steps={steps} episode_steps={episode_steps} seed={seed}\n")
            writer.writerow(TRAIN_COLUMNS)
        while agent.steps < steps:
            episode, last = Episode(task, []), None
            for step in live(agent, min(episode_steps, steps - agent.steps)):
                episode.steps.append(step)
                progress.update()
                if step.update is not None:
                    last = step.update
            wall = time.monotonic() - began
            hold = longest_run([step.achieved for step in episode.steps]) * task.timestep
            report = (
                agent.steps, agent.episode, agent.steps * task.timestep, episode.rewards.mean(),
                episode.mean("value"), episode.mean("value_std"),
                episode.mean("effective_sample_size"), episode.mean("compute_time"),
                hold, learner.sequence, last and last.loss, last and last.target_mean, wall,
            )  # fmt: skip
            writer.writerow(rounded(report))
            file.flush()
            progress.set_postfix(reward=f"{episode.rewards.mean():.3f}", hold=f"{hold:.2f}s")
            learner.save(checkpoint, epoch, {**agent.counters(), "wall_time": f"{wall:.1f}"})
            if agent.steps < steps:
                agent.reset()
    origin = Origin(task.name, task.model_hash(), epoch, learner.sequence)
    write_atomically(weights, encode_value(learner.value(), origin))
    episode.strip(out / "last_episode.png", f"{task.name}, seed {seed}: last episode of {steps} steps")
    return weights


def check_counts(**counts: int) -> None:
    """Refuse to run for no steps or no seeds.

    Raises:
      PoloError: names the count.
    """
    for name, count in counts.items():
        if count < 1:
            raise PoloError(f"{name} must be at least 1, not {count}")


def live(agent: Agent, steps: int) -> Iterator[Step]:
    """The agent's next steps."""
    for _ in range(steps):
        yield agent.step()


def evaluate(
    settings: Settings, value: ValueEnsemble | None, seeds: Sequence[int], steps: int, out: Path
) -> list[dict[str, Any]]:
    """Act without learning, one episode a seed; write a CSV row for each and a film strip of the first.

    Also checks the value function against the discounted returns that acting earned.

    Returns:
      The rows.

    Raises:
      PoloError: nothing to do.
    """
    check_counts(steps=steps, seeds=len(seeds))
    task = settings.task
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (out / "evaluation.csv").open("w", newline="") as file:
        file.write(f"# polo evaluate {task.name} steps={steps} {settings.planner}\n")
        writer = csv.DictWriter(file, EVALUATE_COLUMNS)
        writer.writeheader()
        for seed in seeds:
            began = time.monotonic()
            planner = Planner(task, settings.planner, seed, settings.planner_node.threads)
            planner.value = value
            agent = Agent(task, planner, seed=seed)
            bar = tqdm(live(agent, steps), total=steps, unit="step", desc=f"seed {seed}", leave=False)
            episode = Episode(task, list(bar))
            row = evaluation_row(seed, episode, settings.planner.discount, value is not None)
            row["wall_time"] = time.monotonic() - began
            row = dict(zip(row, rounded(list(row.values())), strict=True))
            writer.writerow(row)
            file.flush()
            rows.append(row)
            if seed == seeds[0]:
                episode.strip(out / f"seed{seed}.png", f"{task.name}, seed {seed}")
    return rows


def evaluation_row(seed: int, episode: Episode, discount: float, with_value: bool) -> dict[str, Any]:
    """What one episode showed, by column."""
    solved_at = episode.solved_at
    correlation, bias = value_check(episode, discount) if with_value else (None, None)
    return {
        "seed": seed,
        "solved": int(solved_at is not None),
        "solved_at": solved_at,
        **asdict(score(episode.task, episode.states)),
        "mean_reward": float(episode.rewards.mean()),
        "last_reward": float(episode.rewards[-50:].mean()),
        "diverged_plans": sum(step.report.valid_rollouts == 0 for step in episode.steps),
        "effective_sample_size": episode.mean("effective_sample_size"),
        "plan_time_median": float(np.median([step.report.compute_time for step in episode.steps])),
        "value_correlation": correlation,
        "value_bias": bias,
    }


def value_check(episode: Episode, discount: float) -> tuple[float | None, float | None]:
    """Correlation and mean difference of the values against the returns earned afterwards.

    None where the episode is too short to know its returns.
    """
    rewards = episode.rewards
    known = len(rewards) - SEEN_STEPS
    if known < 2:
        return None, None
    tail = float(rewards[-10:].mean()) / max(1.0 - discount, 1e-3)
    returns = np.empty(len(rewards) + 1)
    returns[-1] = tail
    for index in range(len(rewards) - 1, -1, -1):
        returns[index] = rewards[index] + discount * returns[index + 1]
    values = np.array([step.report.value for step in episode.steps])[:known]
    earned = returns[:known]
    spread = values.std() * earned.std()
    covariance = ((values - values.mean()) * (earned - earned.mean())).mean()
    return (float(covariance / spread) if spread > 0 else None), float((values - earned).mean())


def rounded(values: Sequence[Any]) -> list[Any]:
    """Floats to six significant digits, for files that people read."""
    return [f"{value:.6g}" if isinstance(value, float) else value for value in values]
