"""The score of an episode: hold times, goals reached, and the course of the task's measure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class EpisodeScore:
    """The score of one episode.

    Attributes:
      longest_hold: the longest uninterrupted time in states that fulfil the task, in s.
      measure_first, measure_last, measure_low, measure_high: of the task's measure, in its unit.
      lowest: the least height of the task's trace sensor, in m; shows a fall.
      goals, goals_reached: the number of goals, and of those during which the task was achieved at some time.
        The last goal counts only if it was set for a whole `goal_period`.
    """

    longest_hold: float
    measure_first: float
    measure_last: float
    measure_low: float
    measure_high: float
    lowest: float
    goals: int
    goals_reached: int


class HoldTimer:
    """How long a task has been achieved without a break, from one state after another.

    A state counts for the control period that it begins: one achieved state is a hold of one period.

    Args:
      task: gives the control period and the hold time.

    Attributes:
      solved_at: time of the state with which the hold time was complete, in s; None before.
    """

    def __init__(self, task: Task) -> None:
        self._period = task.timestep
        self._needed = task.hold_time
        self._since: float | None = None
        self.solved_at: float | None = None

    def add(self, achieved: bool, time: float) -> float:
        """Take whether a state fulfils the task, and its time in s; how long it has been held, in s."""
        if not achieved:
            self._since = None
            return 0.0
        if self._since is None:
            self._since = time
        held = time - self._since + self._period
        # half a period allows for rounding: times are sums of periods
        if self.solved_at is None and held > self._needed - 0.5 * self._period:
            self.solved_at = time
        return held


def succeeded(achieved: Mask) -> bool:
    """Whether a run succeeds: achieved at its end, and for at least half of its states (n,)."""
    return bool(achieved[-1] and achieved.mean() >= 0.5)


def score(task: Task, states: Array) -> EpisodeScore:
    """The score of the states of consecutive control periods, (n, state_size)."""
    view = task.observe(states)
    achieved, measured = task.achieved(view), task.measured(view)
    runs = goal_runs(task.goal_of(states))
    whole = [run for run in runs if run.stop < len(states) or len(states) - run.start >= task.goal_period > 0]
    return EpisodeScore(
        longest_hold=longest_run(achieved) * task.timestep,
        measure_first=float(measured[0]),
        measure_last=float(measured[-1]),
        measure_low=float(measured.min()),
        measure_high=float(measured.max()),
        lowest=float(view.sensor(task.trace_sensor)[:, 2].min()),
        goals=len(whole),
        goals_reached=sum(bool(achieved[run].any()) for run in whole),
    )


def goal_runs(goals: Array) -> list[slice]:
    """Ranges of consecutive states with the same goal, from their goals (n, goal_size)."""
    changes = np.flatnonzero((goals[1:] != goals[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(goals)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def longest_run(flags: Iterable[bool]) -> int:
    """Length of the longest run of true flags."""
    best, run = 0, 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best
