"""An occupancy grid of a planar world, computed from its model: which cells a mass has visited."""

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError

# edge of a cell in m; walls and corridors of the point mass's worlds are one cell wide
CELL = 0.25
# positions per cell and axis at which collisions are checked; odd, so that centres are among them
CHECKS_PER_CELL = 5


class OccupancyGrid:
    """The free cells of a model's plane and which of them were visited.

    A cell is free if the mass touches nothing at the cell's centre and can reach it from the start. MuJoCo's
    collision detection decides both, so that walls may have any shape. The cells are squares and cover the
    walls' bounding box; the first index counts along x, the second along y.

    Args:
      model: its first two joints slide the mass along the world's x and y axes.
      start: (2,), the position of the mass, in m.
      cell: the edge of a cell, in m.

    Attributes:
      low: (2,), the corner of the first cell, in m.
      free, visited: (cells along x, cells along y); visited cells are free.

    Raises:
      PoloError: the model is of another kind or has no walls, or no free cell is around the start.
    """

    def __init__(self, model: mujoco.MjModel, start: Array, cell: float = CELL) -> None:
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        _check_mass(model)
        low, high = _bounds(model, data)
        shape = np.ceil((high - low) / cell - 1e-6).astype(int)
        self.cell = cell
        self.low = (low + high - shape * cell) / 2
        fits = _fits(model, data, self._grid_points(shape, CHECKS_PER_CELL))
        begin = np.floor((start - self.low) / cell * CHECKS_PER_CELL).astype(int)
        region, _ = ndimage.label(fits)
        inside = _within(begin, fits.shape).all()
        reached: Mask = fits & (region == region[tuple(begin)]) if inside else np.zeros_like(fits)
        middle = slice(CHECKS_PER_CELL // 2, None, CHECKS_PER_CELL)
        self.free: Mask = reached[middle, middle]
        if not self.free.any():
            raise PoloError(f"no free cell of {cell} m can be reached from {start}; start between the walls")
        self.visited: Mask = np.zeros_like(self.free)

    @property
    def centres(self) -> Array:
        """The centre of every cell, (cells along x, cells along y, 2), in m."""
        return self._grid_points(np.array(self.free.shape), 1)

    @property
    def coverage(self) -> float:
        """The share of free cells that were visited, 0 to 1."""
        return float(self.visited.sum() / self.free.sum())

    def cell_of(self, positions: Array) -> NDArray[np.int64]:
        """The indices of the cells around positions, (..., 2); out of range for those outside the grid."""
        return np.floor((positions - self.low) / self.cell).astype(np.int64)

    def visit(self, positions: Array) -> None:
        """Mark the free cells around positions, (n, 2) in m."""
        cells = self.cell_of(positions)
        inside = _within(cells, self.free.shape)
        self.visited[tuple(cells[inside].T)] = True
        self.visited &= self.free

    def _grid_points(self, shape: NDArray[np.int64], per_cell: int) -> Array:
        """The centres of cells cut `per_cell` times along each axis, (x, y, 2)."""
        steps = [(np.arange(count * per_cell) + 0.5) * self.cell / per_cell for count in shape]
        points: Array = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1) + self.low
        return points


def _within(indices: NDArray[np.int64], shape: tuple[int, ...]) -> Mask:
    """Whether indices, (..., 2), are those of an array's entries, (...)."""
    return np.asarray(((indices >= 0) & (indices < shape)).all(axis=-1))


def _check_mass(model: mujoco.MjModel) -> None:
    """Raise PoloError unless the two joints slide one body along x and y."""
    slides = model.njnt == 2 and (model.jnt_type == mujoco.mjtJoint.mjJNT_SLIDE).all()
    if not slides or model.jnt_bodyid[0] != model.jnt_bodyid[1] or (model.jnt_axis != np.eye(3)[:2]).any():
        raise PoloError("an occupancy grid needs a model of one mass that slides along x and then y")


def _bounds(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[Array, Array]:
    """The corners of the bounding box of all fixed geoms that collide, each (2,)."""
    fixed = (model.body_weldid[model.geom_bodyid] == 0) & ((model.geom_contype | model.geom_conaffinity) > 0)
    walls = fixed & (model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE)
    if not walls.any():
        raise PoloError("an occupancy grid needs walls around the mass; the model has none")
    axes = data.geom_xmat[walls].reshape(-1, 3, 3)
    middle = data.geom_xpos[walls] + np.einsum("wij,wj->wi", axes, model.geom_aabb[walls, :3])
    half = np.einsum("wij,wj->wi", np.abs(axes), model.geom_aabb[walls, 3:])
    return (middle - half).min(axis=0)[:2], (middle + half).max(axis=0)[:2]


def _fits(model: mujoco.MjModel, data: mujoco.MjData, points: Array) -> Mask:
    """Whether the mass touches nothing when its centre is at points, (..., 2) -> (...)."""
    at_zero = data.xpos[model.jnt_bodyid[0], :2] - data.qpos
    fits = np.empty(points.shape[:-1], dtype=bool)
    for index in np.ndindex(fits.shape):
        data.qpos[:] = points[index] - at_zero
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        fits[index] = data.ncon == 0
    return fits
