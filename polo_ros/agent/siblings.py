"""The terminal states of rival rollouts, which a value function has to put in the right order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polo_ros.agent.evaluation import make_agent
from polo_ros.arrays import Array
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.progress import progress_bar
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task

ACHIEVED, RISING, FALLING, STEADY = PHASES = (
    "achieved",
    "measure rising",
    "measure falling",
    "measure steady",
)
# time over which a change of the task's measure tells the phase, in s, and the least change that counts, as a
# share of the measure's range over all episodes
CHANGE_TIME, LEAST_CHANGE = 0.1, 0.02


@dataclass(frozen=True)
class Siblings:
    """The terminal states of rival rollouts of one plan.

    Attributes:
      seed, time: of the episode, and of the state planned from within it, in s.
      measure: the task's measure in that state.
      phase: one of PHASES.
      states: (siblings, state_size).
    """

    seed: int
    time: float
    measure: float
    phase: str
    states: Array


def collect_siblings(
    settings: Settings,
    value: ValueEnsemble | None,
    seeds: Sequence[int],
    steps: int,
    states: int,
    siblings: int,
) -> list[Siblings]:
    """Act for one episode a seed, and keep siblings of states spread evenly over its time.

    Args:
      settings: of task and planner.
      value: what the planner acts with; None for none.
      seeds: of the episodes.
      steps: control periods an episode.
      states: groups of siblings an episode.
      siblings: rollouts drawn from each plan, at random among those that did not diverge.
    """
    task = settings.task
    chosen = set(np.linspace(0, steps - 1, states).round().astype(int).tolist())
    found: list[tuple[int, int, Array]] = []
    measures: dict[int, list[float]] = {}
    achieved: dict[int, list[bool]] = {}
    with progress_bar(len(seeds) * steps, f"act {task.name}", "step") as bar:
        for seed in seeds:
            rng = np.random.default_rng(seed_of(seed, Stream.LEARNER))
            agent = make_agent(settings, value, seed)
            measures[seed], achieved[seed] = [], []
            for index in range(steps):
                step = agent.step()
                measures[seed].append(float(task.measured(step.report.view)))
                achieved[seed].append(step.achieved)
                reached = (
                    agent.planner.terminal_states() if index in chosen else np.empty((0, task.state_size))
                )
                if len(reached) >= siblings:
                    found.append((seed, index, rng.permutation(reached)[:siblings]))
                bar.update()
    everything = np.concatenate(list(measures.values()))
    least = LEAST_CHANGE * float(np.ptp(everything))
    return [
        Siblings(
            seed,
            index * task.timestep,
            measures[seed][index],
            phase_of(measures[seed], achieved[seed], index, task, least),
            reached,
        )
        for seed, index, reached in found
    ]


def phase_of(
    measures: Sequence[float], achieved: Sequence[bool], index: int, task: Task, least: float
) -> str:
    """The phase of a step of an episode, from the course of the task's measure around it."""
    if achieved[index]:
        return ACHIEVED
    reach = max(1, round(0.5 * CHANGE_TIME / task.timestep))
    change = measures[min(index + reach, len(measures) - 1)] - measures[max(index - reach, 0)]
    if abs(change) < max(least, 1e-9):
        return STEADY
    return RISING if change > 0.0 else FALLING
