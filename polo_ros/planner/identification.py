"""Fitting a model's mass, friction and gain to recorded motion."""

from collections.abc import Sequence

import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner.models import ModelErrors, with_errors
from polo_ros.planner.rollouts import Rollouts, for_rollouts
from polo_ros.tasks.task import Task

IDENTIFIED = ("mass", "friction", "gain")
# factors are looked for in this range
LOWEST, HIGHEST = 0.2, 3.0
# weight of the nominal factor 1 against the transitions: decides what these do not tell, such as a mass and a
# gain that only count by their quotient
PRIOR = 0.001
MOST_ITERATIONS = 20


class ModelFit:
    """Finds factors of a model under which it moves as the robot did, by nonlinear least squares.

    The residuals are what one control period adds to each velocity, predicted less measured, in units of its
    root mean square. The optimiser is MuJoCo's (`mujoco.minimize`), which `mujoco.sysid` uses, too.

    Args:
      task: gives the nominal model.
      names: the factors to find, of `IDENTIFIED`.
      threads: of the simulations.
    """

    def __init__(self, task: Task, names: Sequence[str], threads: int = 1) -> None:
        self._model = for_rollouts(task.model)
        self._names = tuple(names)
        self._rollouts = Rollouts(self._model, threads, task.substeps)
        nq, nv = task.model.nq, task.model.nv
        self._velocities = slice(nq, nq + nv)

    def fit(self, states: Array, controls: Array, reached: Array, first: ModelErrors) -> ModelErrors:
        """The factors that fit transitions best.

        Args:
          states: (n, state_size).
          controls: (n, nu), each held for one control period.
          reached: (n, state_size), measured one control period later.
          first: where to begin.
        """
        from mujoco.minimize import least_squares  # a planner that identifies nothing does without

        measured = (reached - states)[:, self._velocities]
        scale = np.sqrt((measured**2).mean(axis=0)) + 1e-9

        def residual(columns: Array) -> Array:
            """For factors (names, m): residuals (n · nv + names, m)."""
            found = [self._residual(column, states, controls, measured, scale) for column in columns.T]
            return np.stack(found, axis=1)

        start = np.array([getattr(first, name) for name in self._names])
        bounds = np.full(len(start), LOWEST), np.full(len(start), HIGHEST)
        factors, _ = least_squares(
            start.clip(*bounds), residual, bounds=bounds, max_iter=MOST_ITERATIONS, eps=1e-4, verbose=0
        )
        return self._errors(np.ravel(factors))

    def _residual(
        self, factors: Array, states: Array, controls: Array, measured: Array, scale: Array
    ) -> Array:
        self._rollouts.use_models([with_errors(self._model, self._errors(factors))])
        reached, valid = self._rollouts.reach(states, controls[:, None])
        predicted = (reached - states)[:, self._velocities]
        off = np.where(valid[:, None], (predicted - measured) / scale, 0.0)
        prior = PRIOR * np.sqrt(off.size) * (factors - 1.0)
        return np.concatenate([off.ravel(), prior])

    def _errors(self, factors: Array) -> ModelErrors:
        return ModelErrors(**{name: float(f) for name, f in zip(self._names, factors, strict=True)})
