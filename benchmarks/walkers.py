"""What the benchmarks of walking robots share: pushes, falls, sizes of plans, pictures of contacts."""

from collections.abc import Sequence

import mujoco
import numpy as np
from matplotlib.axes import Axes

from polo_ros.arrays import Mask
from polo_ros.parameters.settings import Settings
from polo_ros.tasks import features
from polo_ros.tasks.view import View

# the physics step of the world, in s
PHYSICS_STEP = 0.002
PUSH_EVERY, PUSH_SECONDS = 3.0, 0.1
# a robot has fallen where the cosine of its tilt is below this
FALLEN_COSINE = 0.5


class Pushes:
    """A force of 0.1 s in a random horizontal direction, every 3 s.

    Args:
      body: the number of the body that is struck.
      impulse: in N·s; 0 for no pushes.
      first: time of the first push, in s, at most 3.
      seed: of the directions.
      period: of control, in s.
    """

    def __init__(self, body: int, impulse: float, first: float, seed: int, period: float) -> None:
        self._body, self._size, self._first, self._period = body, impulse / PUSH_SECONDS, first, period
        self._rng = np.random.default_rng([seed, 1])
        self._force = np.zeros(3)

    def apply(self, data: mujoco.MjData, time: float) -> None:
        """Push or stop pushing, at the time in s of a control period."""
        since = (time - self._first + 1e-9) % PUSH_EVERY
        if self._size and time > 0.5 * self._first and since < self._period:
            angle = self._rng.uniform(0.0, 2.0 * np.pi)
            self._force[:2] = self._size * np.array([np.cos(angle), np.sin(angle)])
        data.xfrc_applied[self._body, :3] = self._force if since < PUSH_SECONDS else 0.0


def first_fall(view: View, base: str, least_height: float) -> int | None:
    """The first of the states (n) in which a robot has fallen; None where it has not.

    Args:
      view: of the states.
      base: body with frame sensors.
      least_height: of the base, as a share of its height in the first state.
    """
    height = features.position(view, base)[:, 2]
    tilted = features.projected_gravity(view, base)[:, 2] > -FALLEN_COSINE
    fallen = np.flatnonzero(tilted | (height < least_height * height[0]))
    return int(fallen[0]) if fallen.size else None


def steps_per_plan(settings: Settings) -> int:
    """Simulator steps of a plan."""
    return settings.planner.rollouts * (settings.planner.horizon * settings.task.substeps + 1)


def draw_contacts(
    axes: Axes, period: float, contacts: Mask, names: Sequence[str], colours: Sequence[str]
) -> None:
    """Draw when each foot touches the ground, a row a foot: contacts (n, feet), one a period in s."""
    times = np.arange(len(contacts)) * period
    for place, (name, colour) in enumerate(zip(names, colours, strict=True)):
        low = len(names) - 0.4 - place
        axes.fill_between(times, low, low + 0.8 * contacts[:, place], step="post", color=colour, lw=0)
        axes.text(-0.2, low + 0.4, name, ha="right", va="center")
    axes.set_yticks([])
