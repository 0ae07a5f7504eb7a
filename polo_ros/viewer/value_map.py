"""The value function over the world, drawn on its floor."""

import numpy as np
import viser

from polo_ros.arrays import Array

# viridis (Smith and van der Walt 2015) at five equal steps: equal differences of value look equal
COLOURS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], float)
HEIGHT = 0.004  # m above the floor
# image rows run along -y and columns along x: half a turn about the x axis of what viser draws
TURN = (0.0, 1.0, 0.0, 0.0)


class ValueMap:
    """A picture of values on the floor of the scene.

    Args:
      server: of the page.
      world: the frame in the scene in which the floor is at rest.
      extent: of the picture: lowest and highest x, lowest and highest y, in m.
    """

    def __init__(
        self, server: viser.ViserServer, world: str, extent: tuple[float, float, float, float]
    ) -> None:
        left, right, low, high = extent
        self._handle = server.scene.add_image(
            f"{world}/value_map", np.zeros((1, 1, 3), np.uint8), right - left, high - low,
            position=((left + right) / 2, (low + high) / 2, HEIGHT), wxyz=TURN, visible=False,
        )  # fmt: skip

    def show(self, values: Array) -> None:
        """Draw values (rows, columns), rows along y and columns along x, both rising."""
        self._handle.image = colours(values[::-1])
        self._handle.visible = True


def colours(values: Array) -> Array:
    """Values (rows, columns) as red, green and blue (rows, columns, 3), from the least to the largest."""
    low, high = float(values.min()), float(values.max())
    share = (values - low) / max(high - low, 1e-12)
    at = np.linspace(0.0, 1.0, len(COLOURS))
    channels = [np.interp(share, at, COLOURS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)
