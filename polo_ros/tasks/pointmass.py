"""The point mass (paper, section 3.1): exploration of worlds without a reward."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

# largest distance of a start from the middle of the world in x and in y, in m: a third of the free space of
# the mass between the walls of a corridor
START_NOISE = 0.02
# The value features are Gaussian bumps on a grid. Values then generalise about as far as a bump is wide, and
# the randomised priors differ from one corridor to the next; a tanh network of the coordinates is too smooth
# for both. The grid covers the worlds and their outer walls.
BUMP_SPACING = 0.25  # m, one cell of the occupancy grid
BUMP_WIDTH = 1.5 * BUMP_SPACING
BUMPS = BUMP_SPACING * np.arange(-7, 8)


class PointmassBox(Task):
    """A ball of 1 kg that two motors push over an empty floor between walls, without a reward.

    It is driven by the optimism of the value function about states not yet seen.
    """

    name: ClassVar[str] = "pointmass_box"
    summary: ClassVar[str] = "A point mass explores an empty box without any reward."
    model_source: ClassVar[str] = "pointmass_box.xml"
    trace_sensor: ClassVar[str] = "mass_position"
    measure: ClassVar[Measure] = Measure("distance from the start", "m")
    # 0.05 s, the control period of mjrl's point mass; 0.01 s of physics keeps a ball at full speed from
    # sinking further than 0.02 m into a wall
    substeps: ClassVar[int] = 5
    terms: ClassVar[tuple[RewardTerm, ...]] = ()
    map_extent: ClassVar[tuple[float, float, float, float]] = (BUMPS[0], BUMPS[-1], BUMPS[0], BUMPS[-1])
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("nearness to the points of a grid of 0.25 m", len(BUMPS) ** 2, "1"),
        Feature("way in x and y per control period", 2, "m"),
    )

    def reward_terms(self, view: View) -> dict[str, Array]:
        """None: the reward is zero everywhere."""
        return {}

    def value_features(self, view: View) -> Array:
        """Bumps exp(-d²/2w²) of the position, x slowest, and the velocity, (..., 227).

        The velocity is given as the distance covered in a control period, at most 0.1 m for each axis, which
        the standardisation leaves small: positions are to be explored, not velocities.
        """
        position = view.sensor("mass_position")[..., :2]
        along = np.exp(-0.5 * ((position[..., None] - BUMPS) / BUMP_WIDTH) ** 2)
        bumps = along[..., 0, :, None] * along[..., 1, None, :]
        way = view.sensor("mass_velocity")[..., :2] * self.timestep
        return np.concatenate([bumps.reshape(*position.shape[:-1], -1), way], axis=-1)

    def measured(self, view: View) -> Array:
        """The distance of the mass from the middle of the world, where it starts."""
        distance: Array = np.linalg.norm(view.sensor("mass_position")[..., :2], axis=-1)
        return distance

    def map_states(self, resolution: int) -> Array:
        """The mass at rest at points of the grid of `BUMPS`, as in figure 2(b) of the paper."""
        along = np.linspace(BUMPS[0], BUMPS[-1], resolution)
        states = np.zeros((resolution, resolution, self.state_size))
        states[..., 0], states[..., 1] = along, along[:, None]
        return states

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """At rest, up to 0.02 m from the middle in x and in y."""
        mujoco.mj_resetData(self.model, data)
        data.qpos[:] = rng.uniform(-START_NOISE, START_NOISE, 2)

    def achieved(self, view: View) -> Mask:
        """Never: the task has no goal."""
        return np.zeros(view.sensordata.shape[:-1], dtype=bool)


class PointmassMaze(PointmassBox):
    """The same in a maze of narrow corridors."""

    name: ClassVar[str] = "pointmass_maze"
    summary: ClassVar[str] = "A point mass explores a maze without any reward."
    model_source: ClassVar[str] = "pointmass_maze.xml"
