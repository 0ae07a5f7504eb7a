"""`polo evaluate`: act without learning on several seeds and measure."""

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from polo_ros.agent.agent import Agent, Step
from polo_ros.agent.episode import Episode, check_counts, rounded, take_steps
from polo_ros.agent.provenance import description, value_digest
from polo_ros.agent.scores import EpisodeScore, score
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import Settings
from polo_ros.planner import Planner
from polo_ros.planner.value import ValueEnsemble
from polo_ros.progress import progress_bar
from polo_ros.viewer.figures import in_words

EPISODE_COLUMNS = (
    "solved", "solved_at", *(field.name for field in fields(EpisodeScore)), "mean_reward", "last_reward",
    "diverged_plans", "effective_sample_size",
)  # fmt: skip
COLUMNS = (
    "seed", *EPISODE_COLUMNS, "plan_time_median", "value_correlation", "value_bias", "wall_time",
)  # fmt: skip
# the return of a state is compared with its value only if at least so many rewards after it are known:
# 0.99^100 = 0.37; the mean of the last rewards stands for what comes after the episode
KNOWN_STEPS = 100
# last rewards whose mean stands for all rewards after the episode
TAIL_STEPS = 10
# last rewards that `last_reward` averages
LAST_STEPS = 50


def evaluate(
    settings: Settings,
    value: ValueEnsemble | None,
    seeds: Sequence[int],
    steps: int,
    out: Path,
    animation: Path | None = None,
) -> list[dict[str, Any]]:
    """Act without learning, one episode a seed.

    Writes evaluation.csv with a row a seed, and film strips `seed<N>.png` of the first seed and of the
    first one that did not solve the task. The first line of the file gives all settings that differ from the
    defaults. Compares the value function with the discounted returns.

    Args:
      settings: see `settings_for`.
      value: the value function to plan with; None plans without one.
      seeds: of start states and sampling noise.
      steps: control periods a seed.
      out: the folder; it is made where it is missing.
      animation: the file for a moving picture of the first seed, if one is wanted.

    Returns:
      The rows of the CSV file.

    Raises:
      PoloError: no seeds or steps, a negative seed, or the folder holds an evaluation already.
    """
    check_counts(steps=steps, seeds=len(seeds))
    if min(seeds) < 0:
        raise PoloError(f"seeds must be at least 0, not {min(seeds)}")
    task, file = settings.task, out / "evaluation.csv"
    if file.exists():
        raise PoloError(f"{file} exists; give another --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    drawn: set[bool] = set()
    with (
        file.open("w", newline="") as stream,
        progress_bar(len(seeds) * steps, f"evaluate {task.name}", "step") as bar,
    ):
        heading = description(settings, steps=steps, value=value_digest(value))
        stream.write(f"# polo evaluate {task.name} {heading}\n")
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for seed in seeds:
            began = time.monotonic()
            episode = Episode(task, [])
            for step in act(settings, value, seed, steps):
                episode.steps.append(step)
                bar.update()
            row = evaluation_row(seed, episode, settings.planner.discount, value is not None)
            row["wall_time"] = time.monotonic() - began
            row = {name: rounded(cell) for name, cell in row.items()}
            writer.writerow(row)
            stream.flush()
            rows.append(row)
            if animation is not None and seed == seeds[0]:
                episode.animate(animation)
            failed = not row["solved"]
            if not drawn or (failed and True not in drawn):
                outcome = "not solved" if failed else "solved"
                episode.draw(out / f"seed{seed}.png", f"{in_words(task.name)}, seed {seed}: {outcome}")
                drawn.add(failed)
    return rows


def act(settings: Settings, value: ValueEnsemble | None, seed: int, count: int) -> Iterator[Step]:
    """The steps of an episode without learning.

    Args:
      settings: of task and planner.
      value: the value function to plan with; None plans without one.
      seed: of start state and sampling noise.
      count: control periods.
    """
    return take_steps(make_agent(settings, value, seed), count)


def make_agent(settings: Settings, value: ValueEnsemble | None, seed: int) -> Agent:
    """An agent that acts without learning; the arguments are those of `act`."""
    planner = Planner(settings.task, settings.planner, seed, settings.planner_node.threads)
    planner.value = value
    return Agent(settings.task, planner, seed=seed)


def evaluation_row(seed: int, episode: Episode, discount: float, with_value: bool) -> dict[str, Any]:
    """The row of one episode, by column.

    Args:
      seed: of the episode.
      episode: all of it.
      discount: γ of the planner.
      with_value: whether the planner had a value function.
    """
    correlation, bias = value_check(episode, discount) if with_value else (None, None)
    return {
        "seed": seed,
        **episode_row(episode),
        "plan_time_median": float(np.median([step.report.compute_time for step in episode.steps])),
        "value_correlation": correlation,
        "value_bias": bias,
    }


def episode_row(episode: Episode) -> dict[str, Any]:
    """The results of an episode, by column of `EPISODE_COLUMNS`; equal seeds give equal rows."""
    solved_at = episode.solved_at
    return {
        "solved": int(solved_at is not None),
        "solved_at": solved_at,
        **asdict(score(episode.task, episode.states)),
        "mean_reward": float(episode.rewards.mean()),
        "last_reward": float(episode.rewards[-LAST_STEPS:].mean()),
        "diverged_plans": sum(step.report.valid_rollouts == 0 for step in episode.steps),
        "effective_sample_size": episode.mean("effective_sample_size"),
    }


def value_check(episode: Episode, discount: float) -> tuple[float | None, float | None]:
    """Correlation and mean difference (value − return) between values and discounted returns.

    Returns:
      Both None where the episode is too short to know returns; the correlation is None where nothing
      varies.
    """
    rewards = episode.rewards
    known = len(rewards) - KNOWN_STEPS
    if known < 2:
        return None, None
    returns = np.empty(len(rewards) + 1)
    returns[-1] = rewards[-TAIL_STEPS:].mean() / max(1.0 - discount, 1e-3)
    for index in range(len(rewards) - 1, -1, -1):
        returns[index] = rewards[index] + discount * returns[index + 1]
    values, earned = episode.values[:known], returns[:known]
    varies = values.std() > 0.0 and earned.std() > 0.0
    correlation = float(np.corrcoef(values, earned)[0, 1]) if varies else None
    return correlation, float((values - earned).mean())
