"""The choice of states to label, and the labels that acting itself gives."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array, Mask
from polo_ros.learner.buffer import ReplayBuffer
from polo_ros.learner.checkpoint import Checkpoint, whole_numbers
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.label_pool import Between, Labelled, LabelPool, LabelRequest
from polo_ros.learner.targets import Labels
from polo_ros.learner.tensors import check_array
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task


class Labeller:
    """Labels visited states and terminal states of rollouts, by one plan each (eq. (7)).

    The planner evaluates V at the terminal states of its rollouts, most of which are never visited: with
    labels of visited states alone V is wrong exactly where it is used. The terminal states are those of the
    rollouts behind the labels of the update before.

    Args:
      task, config: see `Learner`.
      rng: draws the states.
      pool: makes the labels.
    """

    def __init__(
        self,
        task: Task,
        config: LearnerConfig,
        rng: np.random.Generator,
        pool: LabelPool,
    ) -> None:
        self._task = task
        self._config = config
        self._rng = rng
        self._pool = pool
        # terminal states of rollouts from visited states, and for each the stream and the number in it of the
        # transition at which the planner itself had come as far from the same state
        self._terminal_states = np.empty((0, task.state_size))
        self._terminal_streams = np.empty(0)
        self._terminal_transitions = np.empty(0, dtype=np.int64)

    @property
    def candidates(self) -> int:
        """The number of candidate trajectories of a label: the rollouts, and what was executed."""
        return self._config.target_rollouts + 1

    def configure(self, config: LearnerConfig) -> None:
        """Take new dynamic settings from the next labels on."""
        self._config = config

    def label(
        self, buffer: ReplayBuffer, value: ValueEnsemble, between: Between | None = None
    ) -> list[Labels]:
        """Optimise from visited states and from terminal states of earlier rollouts.

        Args:
          buffer: of the visited states.
          value: the terminal value of the search.
          between: see `LabelPool.label`.

        Returns:
          The labels that the pool has finished, of this call's states or of those of earlier calls. Of each
          call there are as many as configured, less those of states whose rollouts all diverged.
        """
        return self._finish(self._pool.label(self._request(buffer, value), value, between))

    def settle(self) -> list[Labels]:
        """Wait for the labels that `label` has not returned yet, and return them."""
        return self._finish(self._pool.settle())

    def _request(self, buffer: ReplayBuffer, value: ValueEnsemble) -> LabelRequest:
        """Choose the states to label."""
        config, task = self._config, self._task
        held = self._terminal_states
        from_terminal = int(config.end_fraction * config.target_states) if len(held) else 0
        from_buffer = config.target_states - from_terminal
        visited = self._choose(from_buffer, len(buffer), lambda ages: buffer.rows("features", ages), value)
        chosen = self._choose(
            from_terminal, len(held), lambda rows: task.value_features(task.observe(held[rows])), value
        )
        earned, reached = self._executed(buffer, visited)
        return LabelRequest(
            states=np.concatenate([buffer.rows("state", visited), held[chosen]]),
            executed=self._initial_controls(buffer, visited, chosen),
            streams=buffer.rows("stream", visited),
            visited=buffer.rows("number", visited).astype(np.int64),
            earned=np.concatenate([earned, np.full(from_terminal, -np.inf)]),
            reached=np.concatenate([reached, np.zeros((from_terminal, task.feature_count))]),
        )

    def _finish(self, answers: list[Labelled]) -> list[Labels]:
        """Add to each label what acting earned, and keep the terminal states."""
        finished = []
        for request, solved in answers:
            self._keep_terminal_states(solved.terminal_states, solved.valid, request)
            labelled = solved.valid.any(axis=1)
            rewards = np.column_stack([request.earned, solved.rewards])
            terminal = np.concatenate([request.reached[:, None], solved.terminal_features], axis=1)
            finished.append(Labels(solved.features[labelled], rewards[labelled], terminal[labelled]))
        return finished

    def _choose(
        self,
        count: int,
        held: int,
        features: Callable[[NDArray[np.int64]], Array],
        value: ValueEnsemble,
    ) -> NDArray[np.int64]:
        """Random positions, out of those held, of states to label.

        With `target_choice` above 1, those of a larger draw on whose values the heads disagree most.
        """
        drawn = self._rng.integers(0, max(held, 1), count * self._config.target_choice)
        if len(drawn) == count:
            return drawn
        spread = np.nan_to_num(value.heads(features(drawn)).std(axis=0), nan=0.0)
        return drawn[np.argsort(spread, kind="stable")[-count:]]

    def _initial_controls(
        self, buffer: ReplayBuffer, visited: NDArray[np.int64], chosen: NDArray[np.int64]
    ) -> Array:
        """The controls that the plans start from, (states, N, nu): executed ones, or neutral ones."""
        steps = self._config.target_horizon
        if not self._config.target_warm_start:
            return np.tile(self._task.neutral, (len(visited) + len(chosen), steps, 1))
        # a terminal state is similar to the one that the planner itself came to after as many steps
        beside = buffer.find(self._terminal_streams[chosen], self._terminal_transitions[chosen])
        return buffer.executed_controls(np.concatenate([visited, beside]), steps)

    def _executed(self, buffer: ReplayBuffer, visited: NDArray[np.int64]) -> tuple[Array, Array]:
        """The N-step rewards that acting earned from visited states, and the features of where it led.

        One more candidate for the maximum of eq. (7): without it, labels of weak plans are lower than the
        returns that are known to be possible, and further labels are bootstrapped on them.

        Returns:
          (n,) discounted rewards, -inf where fewer than N steps are known, and (n, features).
        """
        steps = self._config.target_horizon
        discounts = self._config.discount ** np.arange(steps)
        known = buffer.unbroken(visited, steps)
        earned = np.where(known, buffer.executed_rewards(visited, steps) @ discounts, -np.inf)
        return earned, buffer.rows("features", buffer.later(visited, steps))

    def _keep_terminal_states(self, states: Array, valid: Mask, request: LabelRequest) -> None:
        """Keep the valid terminal states of plans from visited states for the next labels.

        Args:
          states: (P, K, state_size), those of visited states first.
          valid: (P, K).
          request: of the plans.
        """
        valid = valid[: len(request.visited)]
        self._terminal_states = states[: len(request.visited)][valid]
        count = valid.sum(axis=1)
        self._terminal_streams = np.repeat(request.streams, count)
        self._terminal_transitions = np.repeat(request.visited + self._config.target_horizon + 1, count)

    def dump(self) -> dict[str, Array]:
        """The terminal states, for `restore`."""
        return {
            "terminal_states": self._terminal_states,
            "terminal_streams": self._terminal_streams,
            "terminal_transitions": self._terminal_transitions.astype(float),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from the result of `dump`.

        Raises:
          PoloError: they are incomplete or out of range.
        """
        # checkpoints of earlier versions have other names
        former = {"terminal_states": "ends", "terminal_transitions": "end_visits"}
        tensors = {name: checkpoint.tensors[old] for name, old in former.items() if old in checkpoint.tensors}
        tensors = {**checkpoint.tensors, **tensors}
        states = check_array(tensors, "terminal_states", (None, self._task.state_size), checkpoint.what)
        numbers = check_array(tensors, "terminal_transitions", (len(states),), checkpoint.what)
        # those of earlier versions are of one robot
        streams = check_array(
            {"terminal_streams": np.zeros(len(states)), **tensors},
            "terminal_streams", (len(states),), checkpoint.what,
        )  # fmt: skip
        self._terminal_states = states
        self._terminal_streams = streams
        self._terminal_transitions = whole_numbers(numbers, "terminal_transitions", checkpoint.what)
