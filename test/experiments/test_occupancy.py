"""The occupancy grid: which cells are free, and how visits are counted."""

import math
from collections import deque

import mujoco
import numpy as np
import pytest

from experiments.occupancy import CHECKS_PER_CELL, OccupancyGrid
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.tasks import make_task

RADIUS = 0.06
Cell = tuple[int, int]
# type, x, y, turn in rad, then half the sizes of a box, or the radius of a cylinder and a number unused
Wall = tuple[str, float, float, float, float, float]


def world(walls: str, at: str = "0 0 0.06", joints: str = "") -> mujoco.MjModel:
    joints = joints or '<joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>'
    return mujoco.MjModel.from_xml_string(
        f"""<mujoco>
          <compiler angle="radian"/>
          <worldbody>
            <geom type="plane" size="9 9 1" contype="0" conaffinity="0"/>
            {walls}
            <body pos="{at}">{joints}<geom size="{RADIUS}"/></body>
          </worldbody>
        </mujoco>"""
    )


def box(x: float, y: float, a: float, b: float, turn: float = 0.0) -> str:
    return f'<geom type="box" pos="{x} {y} 0.1" size="{a} {b} 0.1" euler="0 0 {turn}"/>'


def room(width: float, height: float) -> str:
    """Walls 0.25 m thick around a room in the middle of the world."""
    w, h, t = width / 2, height / 2, 0.125
    return "".join(
        [box(0, h + t, w + 2 * t, t), box(0, -h - t, w + 2 * t, t), box(w + t, 0, t, h), box(-w - t, 0, t, h)]
    )


def touches(wall: Wall, x: float, y: float) -> bool:
    """Whether a disc of the mass's radius around a place touches a wall, in scalars."""
    kind, wall_x, wall_y, turn, a, b = wall
    dx, dy = x - wall_x, y - wall_y
    if kind == "cylinder":
        return math.hypot(dx, dy) < RADIUS + a
    along = math.cos(turn) * dx + math.sin(turn) * dy
    across = -math.sin(turn) * dx + math.cos(turn) * dy
    return math.hypot(max(abs(along) - a, 0.0), max(abs(across) - b, 0.0)) < RADIUS


def reference_free(
    walls: list[Wall], low: Array, shape: tuple[int, int], cell: float
) -> set[tuple[int, int]]:
    """The free cells, by walking from the middle of the world place by place."""
    step = cell / CHECKS_PER_CELL
    counts = shape[0] * CHECKS_PER_CELL, shape[1] * CHECKS_PER_CELL

    def fits(i: int, j: int) -> bool:
        x, y = low[0] + (i + 0.5) * step, low[1] + (j + 0.5) * step
        return not any(touches(wall, x, y) for wall in walls)

    begin = math.floor(-low[0] / step), math.floor(-low[1] / step)
    seen, pending = {begin}, deque([begin])
    while pending:
        i, j = pending.popleft()
        for there in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            inside = 0 <= there[0] < counts[0] and 0 <= there[1] < counts[1]
            if inside and there not in seen and fits(*there):
                seen.add(there)
                pending.append(there)
    half = CHECKS_PER_CELL // 2
    return {(i // CHECKS_PER_CELL, j // CHECKS_PER_CELL) for i, j in seen
            if i % CHECKS_PER_CELL == half and j % CHECKS_PER_CELL == half}  # fmt: skip


@pytest.fixture
def plain() -> OccupancyGrid:
    """A room of four by two cells."""
    return OccupancyGrid(world(room(1.0, 0.5)), np.zeros(2))


def test_the_cells_of_a_room_are_free_and_its_walls_are_not(plain: OccupancyGrid) -> None:
    expected = np.zeros((6, 4), dtype=bool)
    expected[1:5, 1:3] = True
    np.testing.assert_array_equal(plain.free, expected)
    np.testing.assert_allclose(plain.low, [-0.75, -0.5])
    np.testing.assert_allclose(plain.centres[1, 2], [-0.375, 0.125])


@pytest.mark.parametrize("seed", range(6))
def test_free_cells_agree_with_a_search_place_by_place_among_random_walls(seed: int) -> None:
    rng = np.random.default_rng(seed)
    walls: list[Wall] = [
        ("box", 0.0, 1.125, 0.0, 1.25, 0.125), ("box", 0.0, -1.125, 0.0, 1.25, 0.125),
        ("box", 1.125, 0.0, 0.0, 0.125, 1.0), ("box", -1.125, 0.0, 0.0, 0.125, 1.0),
    ]  # fmt: skip
    while len(walls) < 13:
        x, y, turn, a, b = rng.uniform([-1, -1, -2, 0.02, 0.02], [1, 1, 2, 0.4, 0.08])
        wall = (str(rng.choice(["box", "cylinder"])), x, y, turn, a, b)
        if not touches(wall, 0.0, 0.0):
            walls.append(wall)
    text = "".join(
        box(x, y, a, b, turn) if kind == "box"
        else f'<geom type="cylinder" pos="{x} {y} 0.1" size="{a} 0.1"/>'
        for kind, x, y, turn, a, b in walls
    )  # fmt: skip
    grid = OccupancyGrid(world(text), np.zeros(2), cell=0.2)
    found = {(int(i), int(j)) for i, j in np.argwhere(grid.free)}
    assert found == reference_free(walls, grid.low, grid.free.shape, 0.2)
    assert 0 < len(found) < 100


def test_a_thin_wall_separates_two_cells() -> None:
    grid = OccupancyGrid(world(room(1.5, 0.5) + box(0.25, 0, 0.001, 0.25)), np.zeros(2))
    assert grid.free.sum() == 8  # the four columns on the side of the start
    assert not grid.free[grid.centres[..., 0] > 0.25].any()


def test_an_opening_connects_cells() -> None:
    grid = OccupancyGrid(world(room(1.5, 0.5) + box(0.25, 0.125, 0.001, 0.125)), np.zeros(2))
    assert grid.free.sum() == 12


def test_only_the_side_of_the_start_is_free() -> None:
    model = world(room(1.5, 0.5) + box(0.25, 0, 0.001, 0.25))
    left, right = OccupancyGrid(model, np.zeros(2)), OccupancyGrid(model, np.array([0.5, 0.0]))
    assert not (left.free & right.free).any()
    assert (left.free.sum(), right.free.sum()) == (8, 4)


def test_the_position_of_the_body_in_the_model_does_not_matter(plain: OccupancyGrid) -> None:
    moved = OccupancyGrid(world(room(1.0, 0.5), at="0.3 -0.1 0.06"), np.zeros(2))
    np.testing.assert_array_equal(moved.free, plain.free)


def test_geoms_that_do_not_collide_are_no_walls(plain: OccupancyGrid) -> None:
    ghost = '<geom type="box" pos="0.2 0 0.1" size="0.1 2 0.1" contype="0" conaffinity="0"/>'
    grid = OccupancyGrid(world(room(1.0, 0.5) + ghost), np.zeros(2))
    np.testing.assert_array_equal(grid.free, plain.free)


def test_every_centre_lies_in_its_own_cell(plain: OccupancyGrid) -> None:
    indices = np.stack(np.indices(plain.free.shape), axis=-1)
    np.testing.assert_array_equal(plain.cell_of(plain.centres), indices)
    for corner in ([-0.12, -0.12], [-0.12, 0.12], [0.12, -0.12], [0.12, 0.12]):
        np.testing.assert_array_equal(plain.cell_of(plain.centres + corner), indices)


def test_the_coverage_of_a_path_known_by_hand(plain: OccupancyGrid) -> None:
    assert plain.coverage == 0.0
    plain.visit(np.array([[-0.4, 0.1], [-0.3, 0.2], [-0.26, 0.01]]))  # three places in one cell
    assert plain.coverage == 1 / 8
    plain.visit(np.array([[-0.1, 0.1], [-0.1, -0.1], [-0.4, 0.1]]))  # two new cells and the old one
    assert plain.coverage == 3 / 8
    assert {(int(i), int(j)) for i, j in np.argwhere(plain.visited)} == {(1, 2), (2, 2), (2, 1)}
    plain.visit(plain.centres.reshape(-1, 2))
    assert plain.coverage == 1.0


def test_walls_and_places_outside_never_count(plain: OccupancyGrid) -> None:
    plain.visit(plain.centres[~plain.free])
    plain.visit(np.array([[-5.0, 0.0], [5.0, 0.0], [0.0, 5.0], [0.0, -5.0], [-0.76, 0.0]]))
    plain.visit(np.empty((0, 2)))
    assert plain.coverage == 0.0 and not plain.visited.any()


def test_coverage_counts_each_free_cell_once() -> None:
    grid = OccupancyGrid(make_task("pointmass_maze").model, np.zeros(2))
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(50):
        positions = rng.uniform(-1.6, 1.6, (20, 2))
        grid.visit(positions)
        for x, y in positions:
            i, j = math.floor((x - grid.low[0]) / 0.25), math.floor((y - grid.low[1]) / 0.25)
            if 0 <= i < grid.free.shape[0] and 0 <= j < grid.free.shape[1] and grid.free[i, j]:
                seen.add((i, j))
        assert grid.coverage == pytest.approx(len(seen) / grid.free.sum(), abs=1e-12)


def test_a_start_in_a_wall_or_outside_is_refused() -> None:
    model = world(room(1.0, 0.5))
    for start in ([0.6, 0.0], [7.0, 0.0], [-7.0, -7.0]):
        with pytest.raises(PoloError, match=r"no free cell of 0\.25 m can be reached from .*walls"):
            OccupancyGrid(model, np.array(start))


def test_a_world_without_walls_is_refused() -> None:
    with pytest.raises(PoloError, match="needs walls around the mass; the model has none"):
        OccupancyGrid(world(""), np.zeros(2))


@pytest.mark.parametrize(
    "joints",
    [
        '<joint type="slide" axis="1 0 0"/>',
        '<joint type="slide" axis="0 1 0"/><joint type="slide" axis="1 0 0"/>',
        '<joint type="slide" axis="1 0 0"/><joint type="hinge" axis="0 1 0"/>',
        "<freejoint/>",
    ],
)
def test_another_kind_of_model_is_refused(joints: str) -> None:
    with pytest.raises(PoloError, match="a model of one mass that slides along x and then y"):
        OccupancyGrid(world(room(1.0, 0.5), joints=joints), np.zeros(2))
