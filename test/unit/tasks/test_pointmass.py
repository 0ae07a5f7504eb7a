"""The point mass: its worlds, mechanics, features and start."""

import math
from collections import deque

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.occupancy import OccupancyGrid
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.planner.rollouts import Rollouts
from polo_ros.tasks import Task, make_task

# the maze from above, y upwards
MAZE = """
###########
#.#.#...#.#
#.#.#.###.#
#.....#...#
#.#.#.#.#.#
#.#.#...#.#
###.###.#.#
#.#.#...#.#
#.#.###.###
#.....#...#
###########
"""
STEPS = 1000  # control periods in which the paper's figure 2 has the worlds explored
Cell = tuple[int, int]


@pytest.fixture(params=["pointmass_box", "pointmass_maze"])
def task(request: pytest.FixtureRequest) -> Task:
    return make_task(request.param)


def grid_of(task: Task) -> OccupancyGrid:
    return OccupancyGrid(task.model, np.zeros(2))


def state_of(task: Task, x: float, y: float, vx: float = 0.0, vy: float = 0.0) -> Array:
    data = mujoco.MjData(task.model)
    data.qpos[:] = x, y
    data.qvel[:] = vx, vy
    return task.state_of(data)


def neighbours(grid: OccupancyGrid, cell: Cell) -> list[Cell]:
    i, j = cell
    around = ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1))
    return [there for there in around if grid.free[there]]


def way(grid: OccupancyGrid, begin: Cell, goals: set[Cell]) -> list[Cell]:
    """The shortest way from a cell to the nearest goal, without the first cell."""
    came: dict[Cell, Cell] = {begin: begin}
    pending = deque([begin])
    while pending:
        cell = pending.popleft()
        if cell in goals:
            path = []
            while cell != begin:
                path.append(cell)
                cell = came[cell]
            return path[::-1]
        for there in neighbours(grid, cell):
            if there not in came:
                came[there] = cell
                pending.append(there)
    raise AssertionError("a free cell cannot be reached")


def test_dimensions(task: Task) -> None:
    model = task.model
    assert (model.nq, model.nv, model.nu, task.substeps) == (2, 2, 2, 5)
    assert task.timestep == pytest.approx(0.05)
    assert model.body("mass").mass == pytest.approx(1.0)
    assert model.geom("mass").size[0] == 0.06
    assert model.actuator_gear[:, 0].tolist() == [8.0, 8.0]
    assert model.dof_damping.tolist() == [4.0, 4.0]
    assert model.camera(0).name == "top"


def test_the_box_has_mjrls_room_and_the_maze_its_layout() -> None:
    free = grid_of(make_task("pointmass_box")).free
    assert free.shape == (14, 14) and free.sum() == 144 and free[1:-1, 1:-1].all()
    rows = MAZE.split()
    expected = np.array([[mark == "." for mark in row] for row in rows[::-1]]).T
    np.testing.assert_array_equal(grid_of(make_task("pointmass_maze")).free, expected)


def test_the_maze_is_a_tree_with_ten_dead_ends() -> None:
    grid = grid_of(make_task("pointmass_maze"))
    cells: list[Cell] = [(int(i), int(j)) for i, j in np.argwhere(grid.free)]
    degrees = [len(neighbours(grid, cell)) for cell in cells]
    assert len(cells) == 49
    assert degrees.count(1) == 10
    # joined (the grid's free cells are) with one link less than cells: there is no loop
    assert sum(degrees) // 2 == len(cells) - 1
    middle: Cell = (5, 5)
    farthest = max(len(way(grid, middle, {cell})) for cell in cells)
    assert farthest * grid.cell == 3.5


def test_there_is_no_reward_and_nothing_to_achieve(task: Task) -> None:
    states = np.array([state_of(task, x, 0.0, 1.0, -1.0) for x in (-0.1, 0.0, 0.1)])
    view = task.observe(states, np.ones((3, 2)))
    assert task.terms == () and task.reward_terms(view) == {}
    np.testing.assert_array_equal(task.reward(view), np.zeros(3))
    np.testing.assert_array_equal(task.achieved(view), np.zeros(3, dtype=bool))


def test_features_in_scalars(task: Task) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        x, y, vx, vy = rng.uniform(-1.0, 1.0, 4)
        features = task.value_features(task.observe(state_of(task, x, y, vx, vy)))
        grid = [0.25 * index for index in range(-7, 8)]
        expected = [math.exp(-(math.dist((x, y), (a, b)) ** 2) / (2 * 0.375**2)) for a in grid for b in grid]
        expected += [0.05 * vx, 0.05 * vy]
        np.testing.assert_allclose(features, expected, atol=1e-12)
    assert task.feature_count == 15 * 15 + 2


def test_no_two_cells_look_alike(task: Task) -> None:
    grid = grid_of(task)
    states = np.array([state_of(task, *centre) for centre in grid.centres[grid.free]])
    features = task.value_features(task.observe(states))
    apart = np.linalg.norm(features[:, None] - features, axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() > 1.0


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_state_mirrors_the_features(task: Task, axis: int) -> None:
    state = np.array([0.3, -0.7, 0.4, 0.9])
    mirrored = state.copy()
    mirrored[[axis, 2 + axis]] *= -1
    once, twice = (task.value_features(task.observe(state_of(task, *s))) for s in (state, mirrored))
    bumps, way = once[:-2].reshape(15, 15), once[-2:]
    way[axis] *= -1
    np.testing.assert_allclose(twice, [*np.flip(bumps, axis).ravel(), *way], atol=1e-12)


def test_measured_is_the_distance_from_the_middle(task: Task) -> None:
    view = task.observe(np.array([state_of(task, 0.3, -0.4), state_of(task, 0.0, 0.0)]))
    np.testing.assert_allclose(task.measured(view), [0.5, 0.0], atol=1e-12)


def test_it_starts_at_rest_around_the_middle(task: Task) -> None:
    rng = np.random.default_rng(2)
    states = np.array([task.start_state(rng) for _ in range(50)])
    assert np.abs(states[:, :2]).max() <= 0.02
    assert states[:, :2].std(axis=0).min() > 0.008
    np.testing.assert_array_equal(states[:, 2:], 0.0)
    np.testing.assert_array_equal(states[0], task.start_state(np.random.default_rng(2)))


def test_the_motors_push_with_their_gear(task: Task) -> None:
    data = mujoco.MjData(task.model)
    data.ctrl[:] = 0.5, -0.25
    mujoco.mj_forward(task.model, data)
    np.testing.assert_allclose(data.qfrc_actuator, [4.0, -2.0])


def test_it_takes_up_speed_as_damping_says() -> None:
    """v(t) = 2 m/s (1 - exp(-t / 0.25 s)), to the error of first-order integration."""
    world = World(make_task("pointmass_box"), np.random.default_rng(0))
    speeds = []
    for _ in range(15):
        world.step(np.array([1.0, 0.0]))
        speeds.append(world.data.qvel[0])
    times = 0.05 * np.arange(1, 16)
    np.testing.assert_allclose(speeds, 2.0 * (1.0 - np.exp(-times / 0.25)), atol=0.03)


def test_walls_hold_at_twice_the_force_from_every_cell(task: Task) -> None:
    strong = make_task(task.name, torque_scale=2.0)
    grid = grid_of(strong)
    states = np.array([state_of(strong, *centre) for centre in grid.centres[grid.free]])
    compass = np.arange(8) * np.pi / 4
    pushes = np.clip(2.0 * np.stack([np.cos(compass), np.sin(compass)], axis=1), -1.0, 1.0)
    # 1.5 s one way, 1.5 s the other: the second push arrives at full speed; every physics step is seen
    there = np.broadcast_to(pushes[:, None], (8, 150, 2))
    controls = np.concatenate([there, -there, there[:, :1]], axis=1)
    recording = Rollouts(strong.model, threads=1).run(states, np.array([controls] * len(states)))
    assert recording.valid.all()
    view = strong.view(recording.sensordata, np.zeros((1, 2)))
    assert np.abs(view.sensor("mass_velocity")).max() > 1.9 * 2.0
    positions = view.sensor("mass_position")[..., :2]
    cells: NDArray[np.int64] = grid.cell_of(positions)
    assert grid.free[cells[..., 0], cells[..., 1]].all()


def test_it_hardly_sinks_into_a_wall(task: Task) -> None:
    data = mujoco.MjData(task.model)
    deepest = 0.0
    for angle in np.arange(8) * np.pi / 4 + np.pi / 8:
        mujoco.mj_resetData(task.model, data)
        for turn in (0.0, np.pi, 0.5 * np.pi, 0.0):
            push = 1.5 * np.array([np.cos(angle + turn), np.sin(angle + turn)])
            data.ctrl[:] = push.clip(-1.0, 1.0)
            for _ in range(200):
                mujoco.mj_step(task.model, data)
                deepest = max([deepest, *(-contact.dist for contact in data.contact[: data.ncon])])
    assert 0.005 < deepest < 0.02


def test_a_directed_explorer_covers_the_world_in_time(task: Task) -> None:
    """A hand-written one that always takes the shortest way to the nearest cell it has not been to."""
    world = World(task, np.random.default_rng(0))
    grid = grid_of(task)
    path: list[Cell] = []
    for _ in range(4 * STEPS // 5):
        position = world.data.qpos.copy()
        grid.visit(position[None])
        if grid.coverage == 1.0:
            break
        i, j = grid.cell_of(position)
        if not path or path[0] == (int(i), int(j)):
            path = path[1:]
        if not path:
            unseen = {(int(a), int(b)) for a, b in np.argwhere(grid.free & ~grid.visited)}
            path = way(grid, (int(i), int(j)), unseen)
        pull = 6.0 * (grid.centres[path[0]] - position) - 1.0 * world.data.qvel
        world.step(pull.clip(-1.0, 1.0))
    assert grid.coverage == 1.0
    assert not world.diverged


def test_random_and_no_control_cover_little(task: Task) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for scale, most in ((1.0, 0.5), (0.0, 0.03)):
            world, grid = World(task, np.random.default_rng(seed)), grid_of(task)
            for _ in range(STEPS):
                grid.visit(world.data.qpos[None])
                world.step(scale * rng.uniform(task.control_low, task.control_high))
            assert grid.coverage < most
