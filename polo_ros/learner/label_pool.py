"""Pools that make labels: their interface, and the one in the learner's own process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.learner.checkpoint import Checkpoint
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ports import Log
from polo_ros.learner.targets import PlanLabels, TargetSolver, target_settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task

Between = Callable[[], None]


@dataclass(frozen=True)
class LabelRequest:
    """P states to label, and what is known of them already.

    Attributes:
      states: (P, state_size), the V visited ones first.
      executed: (P, N, nu), the controls that the plans start from.
      streams: (V,), whose transitions those are (`ReplayBuffer`).
      visited: (V,), the numbers of the visited transitions in their streams.
      earned: (P,), the discounted rewards that acting earned over N steps; -inf where that is not known.
      reached: (P, features), of the states where acting led to.
    """

    states: Array
    executed: Array
    streams: Array
    visited: NDArray[np.int64]
    earned: Array
    reached: Array


Labelled = tuple[LabelRequest, PlanLabels]


class LabelPool(Protocol):
    """Labels states by one plan each, here or elsewhere, now or later.

    Every request is answered once, in the order of the requests. Answers may come at a later call: labels
    hold candidates, to which `bootstrap` applies the values of the day.
    """

    def label(
        self, request: LabelRequest, value: ValueEnsemble, between: Between | None = None
    ) -> list[Labelled]:
        """Take a request, and return the answers that are due, this one's or those of earlier requests.

        Args:
          request: what to label.
          value: the terminal value of the search.
          between: called every now and then; may raise to give up waiting. What was taken is not lost then:
            it is answered by a later call.
        """

    def settle(self, between: Between | None = None) -> list[Labelled]:
        """Wait for all answers that are not given yet, and return them."""

    def dump(self) -> dict[str, str]:
        """What `restore` needs to repeat the noise of the labels to come."""

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint that holds a result of `dump`; requests without an answer are dropped.

        Raises:
          PoloError: it holds none, or an unusable one; nothing is changed.
        """

    def close(self) -> None:
        """End the workers; requests without an answer are dropped."""


class InProcessPool:
    """Labels each request at once, on threads of this process; see `LabelPool`.

    Args:
      task, config: see `Learner`.
      seed: of the sampling noise.
      threads: of the rollouts.
    """

    def __init__(self, task: Task, config: LearnerConfig, seed: int, threads: int) -> None:
        self.solver = TargetSolver(task, target_settings(config), seed_of(seed, Stream.LABELS), threads)

    def label(
        self, request: LabelRequest, value: ValueEnsemble, between: Between | None = None
    ) -> list[Labelled]:
        """See `LabelPool.label`; `between` is called before each sampling round."""
        return [(request, self.solver.solve(request.states, request.executed, value, between))]

    def settle(self, between: Between | None = None) -> list[Labelled]:
        """See `LabelPool.settle`: nothing is ever open."""
        return []

    def dump(self) -> dict[str, str]:
        """The state of the generator of the sampling noise."""
        return {"solver_rng": json.dumps(self.solver.mppi.rng.bit_generator.state)}

    def restore(self, checkpoint: Checkpoint) -> None:
        """See `LabelPool.restore`."""
        self.solver.mppi.rng.bit_generator.state = checkpoint.generator("solver_rng")

    def close(self) -> None:
        """See `LabelPool.close`: there are no workers."""


def make_pool(task: Task, config: LearnerConfig, seed: int, threads: int, log: Log) -> LabelPool:
    """The pool that a configuration asks for.

    Args:
      task, config, seed: see `Learner`.
      threads: of rollouts in this process.
      log: takes sentences about workers that come and go.
    """
    if config.labels == "in_process":
        return InProcessPool(task, config, seed, threads)
    from polo_ros.learner.remote_labels import ray_pool

    return ray_pool(task, config, seed, threads, log)
