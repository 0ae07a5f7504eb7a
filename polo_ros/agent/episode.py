"""One episode: the steps of an agent and their results."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polo_ros.agent.agent import Agent, Step
from polo_ros.agent.scores import HoldTimer
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task


@dataclass
class Episode:
    """The steps of one episode.

    Attributes:
      task: what was to be done.
      steps: in order, one a control period.
    """

    task: Task
    steps: list[Step]

    @property
    def rewards(self) -> Array:
        """The reward of each visited state, (n,)."""
        return np.array([step.report.reward for step in self.steps])

    @property
    def values(self) -> Array:
        """The value function's value of each visited state, (n,), in reward units."""
        return np.array([step.report.value for step in self.steps])

    @property
    def states(self) -> Array:
        """The visited states, (n, state_size)."""
        return np.array([step.state for step in self.steps])

    @property
    def times(self) -> Array:
        """The time of each visited state, (n,), in s."""
        return np.array([step.time for step in self.steps])

    @property
    def solved_at(self) -> float | None:
        """When the task had been achieved for its hold time without a break, in s; None if never."""
        timer = HoldTimer(self.task)
        for step in self.steps:
            timer.add(step.achieved, step.time)
        return timer.solved_at

    def mean(self, name: str) -> float:
        """The mean of an attribute of the plan reports."""
        return float(np.mean([getattr(step.report, name) for step in self.steps]))

    def draw(self, path: Path, title: str) -> None:
        """Write a film strip of the episode.

        Raises:
          PoloError: the file could not be written.
        """
        from polo_ros.viewer.film_strip import Strip, film_strip  # imports half a second of libraries

        said = film_strip(self.task, [Strip(self.states, self.times, title, self.rewards, self.values)], path)
        if said != "rendered":
            print(f"{path}: {said}", file=sys.stderr)

    def animate(self, path: Path) -> None:
        """Write a moving picture of the episode, GIF or animated PNG.

        Raises:
          PoloError: there is no OpenGL, or the file could not be written.
        """
        from polo_ros.viewer.animation import animation

        animation(self.task, self.states, self.times, path)


def take_steps(agent: Agent, count: int) -> Iterator[Step]:
    """The agent's next steps, one a control period."""
    for _ in range(count):
        yield agent.step()


def check_counts(**counts: int) -> None:
    """Refuse counts below one.

    Raises:
      PoloError: names the count.
    """
    for name, count in counts.items():
        if count < 1:
            raise PoloError(f"{name} must be at least 1, not {count}")


def rounded(value: object) -> object:
    """A float to six significant digits, for CSV files; anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else value
