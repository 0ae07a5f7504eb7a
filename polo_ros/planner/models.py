"""Models drawn around the nominal one, for plans that are robust to errors of the model."""

import copy
from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.planner.config import PlannerConfig


@dataclass(frozen=True)
class ModelErrors:
    """Factors by which a robot may differ from its model; 1 where it does not.

    Attributes:
      mass: of all bodies' masses and inertias.
      friction: of contacts, and of joints' damping and dry friction.
      gain: of all actuators: what a motor gives for its control, or a position servo's stiffness.
    """

    mass: float = 1.0
    friction: float = 1.0
    gain: float = 1.0

    def times(self, other: "ModelErrors") -> "ModelErrors":
        """Both errors at once."""
        return ModelErrors(self.mass * other.mass, self.friction * other.friction, self.gain * other.gain)


def with_errors(model: mujoco.MjModel, errors: ModelErrors) -> mujoco.MjModel:
    """A copy of a model that differs by some factors."""
    changed = copy.deepcopy(model)
    changed.body_mass[:] *= errors.mass
    changed.body_inertia[:] *= errors.mass
    for field in ("geom_friction", "pair_friction", "dof_damping", "dof_frictionloss"):
        getattr(changed, field)[:] *= errors.friction
    changed.actuator_gainprm[:, 0] *= errors.gain
    servos = changed.actuator_biastype == int(mujoco.mjtBias.mjBIAS_AFFINE)
    changed.actuator_biasprm[servos, 1] *= errors.gain
    mujoco.mj_setConst(changed, mujoco.MjData(changed))  # inverse inertias follow the masses
    return changed


def draw_errors(config: PlannerConfig, seed: int = 0) -> list[ModelErrors]:
    """The errors of each model that `config` plans over, the first of them none.

    The others lie evenly in each interval 1 ± spread, in an order drawn for each factor (Latin hypercube), so
    that few models cover the intervals.
    """
    count = config.models - 1
    rng = np.random.default_rng(seed)

    def factors(spread: float) -> Array:
        drawn: Array = 1.0 + spread * rng.permutation(np.linspace(-1.0, 1.0, count) if count > 1 else [1.0])
        return drawn

    if not count:
        return [ModelErrors()]
    columns = [factors(each) for each in (config.mass_spread, config.friction_spread, config.gain_spread)]
    return [ModelErrors(), *(ModelErrors(*map(float, row)) for row in zip(*columns, strict=True))]


def worst_mean(returns: Array, share: float) -> Array:
    """The mean of the worst returns over models, (P, M, K) -> (P, K): the CVaR of a share of them.

    Args:
      returns: of each model.
      share: of the models that count, the worst ones, rounded up; 1 for the mean over all.
    """
    count = max(int(np.ceil(share * returns.shape[1] - 1e-9)), 1)
    worst: Array = np.sort(returns, axis=1)[:, :count].mean(axis=1)
    return worst
