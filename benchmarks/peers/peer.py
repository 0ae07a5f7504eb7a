"""The interface that every planner of the comparison implements."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.problems import Problem
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Size:
    """Rollouts K and horizon H of a plan, and the number of threads that simulate them."""

    rollouts: int
    horizon: int
    threads: int


@dataclass(frozen=True)
class Sampler:
    """Settings of the sampling; None keeps the implementation's shipped value.

    Attributes:
      temperature: as the implementation defines it: a multiple of the standard deviation of the returns for
        ours, in units of the summed reward for the others.
      sigma: standard deviation of the noise, as a fraction of half the control range.
      knots: number of knots of the plan; implementations without knots ignore it.
    """

    temperature: float | None = None
    sigma: float | None = None
    knots: int | None = None


class Peer(ABC):
    """A planner that keeps its own warm start.

    Args:
      problem: the task and its shipped settings.
      size: rollouts, horizon and threads of a plan.
      seed: of the sampling noise.
      sampler: differences from the shipped settings.

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
        """The sensors along given controls, by the planner's own simulation.

        Args:
          state: (state_size,), flat.
          controls: (K, H, nu).

        Returns:
          (K, H, nsensordata); entry t describes the state before control t.
        """


def half_range(task: Task) -> float:
    """Half the control range, if it is the same for every actuator.

    Raises:
      PoloError: the ranges differ, which a planner with one sigma for all actuators cannot express.
    """
    half = 0.5 * (task.control_high - task.control_low)
    if np.ptp(half) > 0.0:
        raise PoloError(f"the actuators of {task.name} have different control ranges")
    return float(half[0])
