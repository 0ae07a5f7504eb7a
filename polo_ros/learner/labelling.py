"""The choice of states to label, and the labels that acting itself gives."""

import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array, Mask
from polo_ros.learner.buffer import ReplayBuffer
from polo_ros.learner.checkpoint import Checkpoint, whole_numbers
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.targets import Labels, TargetSolver, target_settings
from polo_ros.learner.tensors import check_array
from polo_ros.planner.value import ValueEnsemble
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks.task import Task


class Labeller:
    """Labels visited states and terminal states of rollouts, by one plan each (eq. (7)).

    The planner evaluates V at the terminal states of its rollouts, most of which are never visited: with
    labels of visited states alone V is wrong exactly where it is used. The terminal states are those of the
    rollouts behind the labels of the update before.

    Args:
      task, config: see `Learner`.
      rng: draws the states.
      seed: of the sampling noise.
      threads: of the rollouts.
    """

    def __init__(
        self,
        task: Task,
        config: LearnerConfig,
        rng: np.random.Generator,
        seed: int,
        threads: int,
    ) -> None:
        self._task = task
        self._config = config
        self._rng = rng
        self._solver = TargetSolver(task, target_settings(config), seed_of(seed, Stream.LABELS), threads)
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
        self, buffer: ReplayBuffer, value: ValueEnsemble, between: Callable[[], None] | None = None
    ) -> Labels:
        """Optimise from visited states and from terminal states of earlier rollouts.

        Args:
          buffer: of the visited states.
          value: the terminal value of the search.
          between: called before each sampling round; may raise to give up.

        Returns:
          As many labels as configured, less those of states whose rollouts all diverged.
        """
        config, task = self._config, self._task
        held = self._terminal_states
        from_terminal = int(config.end_fraction * config.target_states) if len(held) else 0
        from_buffer = config.target_states - from_terminal
        visited = self._choose(from_buffer, len(buffer), lambda ages: buffer.rows("features", ages), value)
        chosen = self._choose(
            from_terminal, len(held), lambda rows: task.value_features(task.observe(held[rows])), value
        )
        states = np.concatenate([buffer.rows("state", visited), held[chosen]])
        solved = self._solver.solve(states, self._initial_controls(buffer, visited, chosen), value, between)
        rewards, terminal = self._executed(buffer, visited)
        rewards = np.concatenate([rewards, np.full(from_terminal, -np.inf)])
        terminal = np.concatenate([terminal, np.zeros((from_terminal, task.feature_count))])
        self._keep_terminal_states(solved.terminal_states, solved.valid, buffer, visited)
        labelled = solved.valid.any(axis=1)
        return Labels(
            solved.features[labelled],
            np.column_stack([rewards, solved.rewards])[labelled],
            np.concatenate([terminal[:, None], solved.terminal_features], axis=1)[labelled],
        )

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

    def _keep_terminal_states(
        self, states: Array, valid: Mask, buffer: ReplayBuffer, visited: NDArray[np.int64]
    ) -> None:
        """Keep the valid terminal states of plans from visited states for the next labels.

        Args:
          states: (P, K, state_size), those of visited states first.
          valid: (P, K).
          buffer: of the visited states.
          visited: their positions.
        """
        valid = valid[: len(visited)]
        self._terminal_states = states[: len(visited)][valid]
        count = valid.sum(axis=1)
        self._terminal_streams = np.repeat(buffer.rows("stream", visited), count)
        after = buffer.rows("number", visited).astype(np.int64) + self._config.target_horizon + 1
        self._terminal_transitions = np.repeat(after, count)

    def dump(self) -> dict[str, Array]:
        """The terminal states, for `restore`."""
        return {
            "terminal_states": self._terminal_states,
            "terminal_streams": self._terminal_streams,
            "terminal_transitions": self._terminal_transitions.astype(float),
        }

    def dump_rng(self) -> dict[str, str]:
        """The state of the generator of the sampling noise, for `restore`."""
        return {"solver_rng": json.dumps(self._solver.mppi.rng.bit_generator.state)}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from the results of `dump` and `dump_rng`.

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
        self._solver.mppi.rng.bit_generator.state = checkpoint.generator("solver_rng")
        self._terminal_states = states
        self._terminal_streams = streams
        self._terminal_transitions = whole_numbers(numbers, "terminal_transitions", checkpoint.what)
