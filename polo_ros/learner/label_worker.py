"""A worker of labels: a compiled model that optimises batches of states, wherever it runs."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from polo_ros import __version__
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.label_pool import Between
from polo_ros.learner.targets import PlanLabels, TargetSolver, target_settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import batch_seed
from polo_ros.tasks.recipe import TaskRecipe
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Weights:
    """What an update's labels are made with.

    Attributes:
      update: its number in the pool.
      value: the terminal value of the search.
      rewards: the weights of the task's reward terms, by name.
    """

    update: int
    value: ValueEnsemble
    rewards: Mapping[str, float]


@dataclass(frozen=True)
class Batch:
    """Some states of a request.

    Attributes:
      number: counted from the first batch of the training; the noise depends on it alone.
      update: of the `Weights`.
      states: (P, state_size).
      executed: (P, N, nu), the controls that the plans start from.
    """

    number: int
    update: int
    states: Array
    executed: Array


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is made from.

    Attributes:
      recipe: of the task.
      config: of the plans behind labels.
      seed: of the learner.
      threads: of the rollouts.
      version: of the package.
    """

    recipe: TaskRecipe
    config: LearnerConfig
    seed: int
    threads: int
    version: str = __version__


class BatchSolver:
    """Labels numbered batches: the same batch and weights give the same labels, whoever makes them.

    Args:
      task, config: see `Learner`.
      seed: of the learner.
      threads: of the rollouts.
    """

    def __init__(self, task: Task, config: LearnerConfig, seed: int, threads: int) -> None:
        self._seed = seed
        self._solver = TargetSolver(task, target_settings(config), seed, threads)

    def solve(self, batch: Batch, weights: Weights, between: Between | None = None) -> PlanLabels:
        """The labels of a batch; `between` is called before each sampling round, and may raise to give up."""
        mppi = self._solver.mppi
        mppi.rng = np.random.default_rng(batch_seed(self._seed, batch.number))
        # the task may be the learner's own, whose rewards have changed since the batch was numbered
        present = dict(mppi.task.weights)
        mppi.task.weights.update(weights.rewards)
        try:
            return self._solver.solve(batch.states, batch.executed, weights.value, between)
        finally:
            mppi.task.weights.update(present)


class LabelWorker:
    """Made in the worker's process: the model is compiled once, and labels batches from then on.

    Args:
      settings: see `WorkerSettings`.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._solver: BatchSolver | None = None

    def start(self) -> tuple[str, str]:
        """Make the task.

        Returns:
          The machine's name, and why this worker cannot label; empty if it can.
        """
        settings, host = self._settings, socket.gethostname()
        if settings.version != __version__:
            return host, f"it has version {__version__} of polo_ros, not {settings.version}"
        try:
            task = settings.recipe.make()
        except PoloError as error:
            return host, str(error)
        self._solver = BatchSolver(task, settings.config, settings.seed, settings.threads)
        return host, ""

    def solve(self, batch: Batch, weights: Weights) -> PlanLabels:
        """The labels of a batch."""
        assert self._solver is not None
        return self._solver.solve(batch, weights)
