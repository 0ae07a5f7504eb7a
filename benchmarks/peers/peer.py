"""What every planner of the comparison can do: one plan from a state."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.problems import Problem
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Size:
    """Rollouts K and steps H of a plan, and the worker threads of its rollouts."""

    rollouts: int
    horizon: int
    threads: int


@dataclass(frozen=True)
class Sampler:
    """Settings of the sampling; None leaves what the implementation ships.

    Attributes:
      temperature: as the implementation defines it: of the returns' spread for ours, of the summed reward
        for the others.
      sigma: standard deviation of the noise, as a fraction of half the control range.
      knots: of the plan; implementations without knots ignore it.
    """

    temperature: float | None = None
    sigma: float | None = None
    knots: int | None = None


class Peer(ABC):
    """A planner with a warm start of its own.

    Args:
      problem: the world, what is wanted in it, and what is shipped for it.
      size: of a plan.
      seed: of the sampling noise.
      sampler: what differs from the shipped settings.

    Raises:
      PoloError: the implementation cannot express the problem.
    """

    def __init__(self, problem: Problem, size: Size, seed: int, sampler: Sampler) -> None:
        self.task: Task = problem.task
        self.size = size

    @abstractmethod
    def plan(self, state: Array, now: float) -> Array:
        """Plan from a flat state at a time in s; the control for that time, (nu,)."""

    @abstractmethod
    def controls(self) -> Array:
        """The controls of the last plan's rollouts, (K, H, nu)."""

    @abstractmethod
    def simulate(self, state: Array, controls: Array) -> Array:
        """The sensors along given controls by the planner's own rollouts.

        Args:
          state: (state_size,), flat.
          controls: (K, H, nu).

        Returns:
          (K, H, nsensordata); entry t describes the state before control t.
        """


def half_range(task: Task) -> float:
    """Half the control range of every actuator.

    Raises:
      PoloError: the actuators differ, which a planner with one number for all cannot express.
    """
    half = 0.5 * (task.control_high - task.control_low)
    if np.ptp(half) > 0.0:
        raise PoloError(f"the actuators of {task.name} have different control ranges")
    return float(half[0])
