"""Targets by an expert that acts: planning anew at every step, in the internal model."""

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.learner.targets import Labels, TargetSolver
from polo_ros.planner.rollouts import Rollouts
from polo_ros.value import ValueEnsemble


class Expert:
    """Acts from many states side by side with the planner behind the targets.

    One plan of N steps undershoots what replanning earns; labels made of such plans sink, the more so where
    an actor has led a humanoid astray. The returns of an expert who replans do not, and the states that it
    comes through are labels, too (AggreVaTe, Ross & Bagnell 2014): those of the first three quarters, since
    later ones would be bootstrapped after few steps, on values that are mostly guesses.

    Args:
      solver: plans.
      steps: control periods that the expert acts.
      threads: of the simulation.
    """

    def __init__(self, solver: TargetSolver, steps: int, threads: int) -> None:
        self._solver = solver
        self._steps = steps
        self._task = solver.mppi.task
        # on its own, since the planner's rollouts keep their buffers
        self._world = Rollouts(self._task.model, threads)

    def act(self, states: Array, executed: Array, value: ValueEnsemble) -> Labels:
        """Act from each state, and label states on the way by what was earned from there on.

        Args:
          states: (P, state_size).
          executed: (P, N, nu), where the first plans start from.
          value: terminal value of the plans, by the heads' mean.

        Returns:
          Labels of the first three quarters of `steps` states, rounded up, for each of the P that did not
          diverge, in one block a step; one candidate each.
        """
        task, mppi = self._task, self._solver.mppi
        knots, elites = self._solver.fit(executed), None
        shift = mppi.shift(1)
        alive = np.ones(len(states), dtype=bool)
        features, rewards = [], []
        for _ in range(self._steps):
            solution = mppi.optimise(states, knots, elites, value)
            ctrl = solution.knots[:, 0].clip(task.control_low, task.control_high)
            here = task.view(solution.view.sensordata[:, 0, 0].copy(), ctrl)
            features.append(task.value_features(here))
            rewards.append(task.reward(here))
            # the model acts for one control period of single physics steps
            recording = self._world.run(states, np.repeat(ctrl[:, None, None], task.substeps, axis=2))
            alive &= recording.valid[:, 0] & ~solution.diverged
            reached = self._world.final_states()
            states = np.where(alive[:, None], reached, states)
            knots = shift @ solution.knots
            elites = shift @ solution.elites
        features.append(task.value_features(task.observe(states)))
        discount = mppi.config.discount
        earned = np.zeros((self._steps, len(states)))
        later = np.zeros(len(states))
        for step in reversed(range(self._steps)):
            later = rewards[step] + discount * later
            earned[step] = later
        first = (3 * self._steps + 3) // 4
        return Labels(
            features=np.concatenate([row[alive] for row in features[:first]]),
            rewards=earned[:first, alive].reshape(-1, 1),
            terminal_features=np.tile(features[-1][alive], (first, 1))[:, None],
            steps=np.repeat(self._steps - np.arange(first, dtype=float), int(alive.sum())),
        )


def ends_of_rollouts(
    solver: TargetSolver, states: Array, executed: Array, value: ValueEnsemble, rng: np.random.Generator
) -> tuple[Array, Mask]:
    """Where an actor's rollouts end: where it asks for values, and nobody has been.

    Args:
      solver: with the actor's horizon.
      states: (P, state_size), visited.
      executed: (P, H, nu), what the actor did from there on.
      value: the actor's, whose errors draw rollouts to where it is too high.
      rng: picks the ends.

    Returns:
      (P, state_size), from every other state the best rollout's end, from the others any one's; and (P,),
      False where all rollouts diverged and the end is no state.
    """
    solution = solver.mppi.optimise(states, solver.fit(executed), None, value)
    ends = solver.mppi.rollouts.final_states().reshape(*solution.valid.shape, -1)
    scores = np.where(solution.valid, rng.random(solution.valid.shape), -np.inf)
    scores[::2] = solution.returns[::2]
    picked = scores.argmax(axis=1)
    return ends[np.arange(len(states)), picked], ~solution.diverged
