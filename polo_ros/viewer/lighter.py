"""Surfaces with fewer triangles, for displays."""

import numpy as np

from polo_ros.arrays import Array

# cells along the longest side of a surface with too many triangles: the first with which there are few enough
CELLS = (120, 80, 56, 40, 28, 20)


def lighter(vertices: Array, faces: Array, most: int) -> tuple[Array, Array]:
    """A surface with at most so many triangles, if that can be reached with the coarsest cells.

    Of the vertices in a cell of a grid one stays, at their mean.

    Args:
      vertices: (n, 3).
      faces: (m, 3), indices of vertices.
      most: triangles.

    Returns:
      Vertices and faces of the same surface.
    """
    left, moved = faces, vertices
    for cells in CELLS:
        if len(left) <= most:
            break
        moved, merged = merge(vertices, faces, cells)
        left = merged[(merged != np.roll(merged, 1, axis=1)).all(axis=1)]
    return moved, left


def merge(vertices: Array, faces: Array, count: int) -> tuple[Array, Array]:
    """Merge the vertices in each cell of a grid: the positions that stay, and the faces between them."""
    low = vertices.min(axis=0)
    size = float((vertices.max(axis=0) - low).max()) / count
    cells = np.floor((vertices - low) / max(size, 1e-12)).astype(int) @ [1, count + 1, (count + 1) ** 2]
    _, cell, counts = np.unique(cells, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(cell, column) / counts for column in vertices.T], axis=1)
    return means, cell[faces]
