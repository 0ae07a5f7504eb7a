"""Film strips and thumbnails: what they show, with and without EGL, and what they refuse."""

import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
from matplotlib.image import imread

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.tasks import Task
from polo_ros.tasks.task import STATE_SPEC
from polo_ros.viewer.film_strip import THUMBNAIL, film_strip, thumbnail

BOX = """
<mujoco>
  <worldbody>
    {world}
    <body pos="0 0 1">
      <joint name="lift" type="slide" axis="0 0 1"/>
      <geom type="{shape}" size="0.2 0.2 0.2" rgba="1 0 0 1"/>
    </body>
  </worldbody>
</mujoco>
"""

# a red box that lifts, and before the camera's left a goal that is only looked through
GOAL = """
<mujoco>
  <asset><texture type="skybox" builtin="flat" rgb1="0.9 0.9 0.9" width="8" height="8"/></asset>
  <worldbody>
    <light pos="0 0 9" dir="0 0 -1" directional="true"/>
    <camera pos="0 -9 1" xyaxes="1 0 0 0 0 1"/>
    <geom type="plane" size="50 50 1" rgba="0.8 0.8 0.8 1"/>
    <body pos="0 0 1">
      <joint name="lift" type="slide" axis="0 0 1"/>
      <geom type="box" size="0.5 0.5 0.5" rgba="1 0 0 1"/>
    </body>
    <body name="goal" mocap="true" pos="-3 0 1">{mark}</body>
  </worldbody>
</mujoco>
"""
GHOST = '<geom type="box" size="0.5 0.5 0.5" rgba="0 0 1 0.3"/>'
MARK = '<site type="box" size="0.5 0.5 0.5" rgba="0 0 1 0.3"/>'


@pytest.fixture
def humanoid() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(share_path("models", "humanoid.xml")))


@pytest.fixture
def egl() -> None:
    try:
        from mujoco.egl import GLContext

        GLContext(1, 1).free()
    except Exception as error:
        pytest.skip(f"rendering needs EGL, which fails here: {error!r}")


def states_of(model: mujoco.MjModel, qpos: Array, goals: Array | None = None) -> Array:
    """Flat states at rest (n, state_size) of positions (n, nq) and places of the one goal (n, 3)."""
    data = mujoco.MjData(model)
    states = np.empty((len(qpos), mujoco.mj_stateSize(model, STATE_SPEC)))
    for row, state in enumerate(states):
        data.qpos[:] = qpos[row]
        if goals is not None:
            data.mocap_pos[0] = goals[row]
        mujoco.mj_getState(model, data, state, STATE_SPEC)
    return states


def lying_then_standing(model: mujoco.MjModel) -> Array:
    return states_of(model, np.array([model.key("supine").qpos, model.key("standing").qpos]))


def panels(path: Path, count: int) -> list[Array]:
    """The panels of a picture with one row of them, captions included."""
    return np.array_split(imread(path)[..., :3].astype(float), count, axis=1)


def red(panel: Array) -> Mask:
    """The pixels of a panel in the red of the boxes."""
    return panel[..., 0] - panel[..., 2] > 0.5


def ghost(panel: Array) -> Mask:
    """The pixels of a panel on which a blue ghost lies and no red; everything else is greyer."""
    return (panel[..., 2] - panel[..., 0] > 0.2) & (panel[..., 0] > 0.2)


def middle(mask: Mask) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def suit(panel: Array) -> Mask:
    """The pixels of a panel in the blue of the humanoid's suit; sky and ground are greyer."""
    return panel[..., 2] - panel[..., 0] > 0.25


def extent(mask: Mask) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    return int(np.ptp(rows)), int(np.ptp(columns))


def assert_lies_then_stands(path: Path) -> None:
    lying, standing = (suit(panel) for panel in panels(path, 2))
    assert lying.sum() > 1000 and standing.sum() > 1000
    (low, long), (high, short) = extent(lying), extent(standing)
    assert long > 2 * low
    assert high > 2 * short


def test_drawing_shows_the_pose_of_each_moment(humanoid: mujoco.MjModel, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "run.png"
    states = lying_then_standing(humanoid)
    assert film_strip(humanoid, states, np.array([0, 0.48]), path, force_drawn=True) == "drawn"
    assert_lies_then_stands(path)
    assert [file.name for file in path.parent.iterdir()] == ["run.png"]


def test_rendering_shows_the_pose_of_each_moment(humanoid: mujoco.MjModel, tmp_path: Path, egl: None) -> None:
    path, states = tmp_path / "run.png", lying_then_standing(humanoid)
    for _ in range(2):  # the second needs what the first has freed
        assert film_strip(humanoid, states, np.array([0, 0.48]), path) == "rendered"
    assert_lies_then_stands(path)


def test_rendering_and_drawing_agree(humanoid: mujoco.MjModel, tmp_path: Path, egl: None) -> None:
    masks = []
    for drawn in (False, True):
        path = tmp_path / f"{drawn}.png"
        states = lying_then_standing(humanoid)
        film_strip(humanoid, states, np.zeros(2), path, force_drawn=drawn)
        masks.append(suit(imread(path)))
    assert (masks[0] & masks[1]).sum() > 0.7 * (masks[0] | masks[1]).sum()


@pytest.mark.parametrize("error", [ImportError, AttributeError, RuntimeError, OSError])
def test_broken_egl_is_drawn(
    error: type[Exception],
    humanoid: mujoco.MjModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def __getattr__(self, name: str) -> None:
            raise error("no EGL")

    monkeypatch.setitem(sys.modules, "mujoco.egl", Broken())
    states = lying_then_standing(humanoid)[:1]
    assert film_strip(humanoid, states, np.zeros(1), tmp_path / "run.png") == "drawn"
    assert thumbnail(humanoid, states[0], tmp_path / "start.png") == "drawn"


def test_frames_are_spread_evenly_and_never_repeated(tmp_path: Path) -> None:
    camera = '<camera pos="0 -9 1" xyaxes="1 0 0 0 0 1"/>'
    model = mujoco.MjModel.from_xml_string(BOX.format(world=camera, shape="box"))
    states, path = states_of(model, np.linspace(0, 1, 9)[:, None]), tmp_path / "run.png"

    def heights(rows: int, frames: int, count: int) -> list[float]:
        times = np.arange(rows, dtype=float)
        film_strip(model, states[:rows], times, path, frames=frames, force_drawn=True)
        return [middle(red(panel))[0] for panel in panels(path, count)]

    rise = np.diff(heights(9, 3, 3))
    assert rise[0] < -20 and rise[0] == pytest.approx(rise[1], rel=0.1)
    assert len(set(heights(3, 8, 3))) == 3  # three rows, three panels
    assert len(heights(9, 1, 1)) == 1


@pytest.mark.parametrize("shape", ["box", "sphere", "capsule", "cylinder", "ellipsoid"])
@pytest.mark.parametrize(
    "world",
    [
        '<geom type="plane" size="5 5 1"/>',
        '<camera pos="0 0 5"/><geom type="plane" size="5 5 1"/>',
        '<camera pos="0 -3 1" xyaxes="1 0 0 0 0 1"/><geom type="box" size="2 2 0.1"/>',
        '<camera pos="0 -3 1" xyaxes="1 0 0 0 0 1" projection="orthographic" fovy="3"/>',
    ],
    ids=["no camera", "from above", "platform", "orthographic"],
)
@pytest.mark.parametrize("drawn", [True, False])
def test_every_shape_is_seen_by_every_camera(shape: str, world: str, drawn: bool, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world=world, shape=shape))
    path = tmp_path / "run.png"
    film_strip(model, states_of(model, np.zeros((1, 1))), np.zeros(1), path, force_drawn=drawn)
    (panel,) = panels(path, 1)
    assert 0.3 < (panel[..., 0] - panel[..., 2] > 0.2).mean() < 0.9  # the window fits what moves


def test_free_camera_steps_back_for_a_long_way(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="sphere"))
    path = tmp_path / "run.png"
    film_strip(model, states_of(model, np.array([[0.0], [9.0]])), np.zeros(2), path, force_drawn=True)
    sizes = [red(panel).sum() for panel in panels(path, 2)]
    assert min(sizes) > 20 and max(sizes) < 5 * min(sizes)


def test_mesh_is_drawn_as_its_hull(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string("""
      <mujoco>
        <asset><mesh name="wedge" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/></asset>
        <worldbody>
          <body><freejoint/><geom type="mesh" mesh="wedge" rgba="1 0 0 1"/></body>
        </worldbody>
      </mujoco>
    """)
    path = tmp_path / "run.png"
    film_strip(model, states_of(model, model.qpos0[None]), np.zeros(1), path, force_drawn=True)
    assert (panels(path, 1)[0][..., 2] < 0.3).mean() > 0.2


def test_world_without_anything_that_moves_is_pictured(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody/></mujoco>")
    path = tmp_path / "run.png"
    film_strip(model, np.zeros((2, 0)), np.zeros(2), path, "a $ and a $", force_drawn=True)
    assert path.stat().st_size > 0


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("mark", [GHOST, MARK], ids=["geom", "site"])
def test_goals_are_shown_where_each_state_has_them(mark: str, drawn: bool, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(GOAL.format(mark=mark))
    states = states_of(model, np.zeros((3, 1)), np.array([[-3.0, 0, 1], [3.0, 0, 1], [3.0, 0, 5.5]]))
    path = tmp_path / "run.png"
    film_strip(model, states, np.zeros(3), path, force_drawn=drawn)
    rows, columns = np.array([middle(ghost(panel)) for panel in panels(path, 3)]).T
    across = columns[1] - columns[0]  # 6 m
    assert across > 100  # none is cut off: the window has room for the goals
    assert columns[2] == pytest.approx(columns[1], abs=0.03 * across)
    assert rows[0] == pytest.approx(rows[1], abs=0.03 * across)
    assert rows[1] - rows[2] == pytest.approx(across * 0.75, rel=0.05)  # 4.5 m
    areas = [ghost(panel).sum() for panel in panels(path, 3)]
    assert min(areas) > 0.6 * max(areas)


@pytest.mark.parametrize("drawn", [True, False])
def test_goals_can_be_looked_through(drawn: bool, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(GOAL.format(mark=GHOST))
    path = tmp_path / "run.png"

    def mixed_and_pure(goal: list[float]) -> tuple[int, int]:
        film_strip(
            model, states_of(model, np.zeros((1, 1)), np.array([goal])), np.zeros(1), path, force_drawn=drawn
        )
        (panel,) = panels(path, 1)
        blue = (panel[..., 2] - panel[..., 1])[panel[..., 0] - panel[..., 1] > 0.2]
        return int((blue > 0.15).sum()), int((blue < 0.05).sum())

    mixed, pure = mixed_and_pure([0.5, -2.0, 1.0])  # half before the red box
    assert mixed > 1000 and pure > 1000
    mixed, pure = mixed_and_pure([0.5, 2.0, 1.0])  # half behind it
    assert mixed < 0.05 * pure


def test_a_goal_nearby_does_not_fade_the_robot(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(GOAL.format(mark=GHOST))
    path = tmp_path / "run.png"
    states = states_of(model, np.zeros((1, 1)), np.array([[-2.0, -3.0, 1.0]]))
    film_strip(model, states, np.zeros(1), path, force_drawn=True)
    (panel,) = panels(path, 1)
    assert np.median(panel[red(panel)], axis=0) == pytest.approx([1.0, 0.0, 0.0], abs=0.01)


@pytest.mark.parametrize("drawn", [True, False])
def test_goals_cast_no_shadow(drawn: bool, tmp_path: Path) -> None:
    path, contrasts = tmp_path / "run.png", []
    for alpha in (0.3, 1.0):
        model = mujoco.MjModel.from_xml_string(GOAL.format(mark=GHOST.replace("0.3", str(alpha))))
        # the box under the ground, so that the window reaches far down
        states = states_of(model, np.array([[-2.0]]), np.array([[-3.0, 0, 3]]))
        film_strip(model, states, np.zeros(1), path, force_drawn=drawn)
        (panel,) = panels(path, 1)
        ground = panel[panel.shape[0] * 57 // 100 : -60, 20 : panel.shape[1] // 3]
        contrasts.append(float(np.ptp(ground.mean(axis=-1))))
    assert contrasts[0] < 0.05 and contrasts[1] > 0.08


@pytest.mark.parametrize(
    ("states", "times", "frames", "message"),
    [
        (np.zeros((3, 3)), np.zeros(3), 8, r"states must have shape \(n, 2\)"),
        (np.zeros(3), np.zeros(3), 8, r"states must have shape \(n, 2\)"),
        (np.zeros((0, 2)), np.zeros(0), 8, "n > 0"),
        (np.zeros((3, 2)), np.zeros(2), 8, r"times must have shape \(3,\)"),
        (np.full((3, 2), np.nan), np.zeros(3), 8, "states must be finite"),
        (np.zeros((3, 2)), np.full(3, np.inf), 8, "times must be finite"),
        (np.zeros((3, 2)), np.zeros(3), 0, "frames must be at least 1"),
    ],
)
def test_bad_input_is_refused(states: Array, times: Array, frames: int, message: str, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="box"))
    path = tmp_path / "run.png"
    with pytest.raises(PoloError, match=message):
        film_strip(model, states, times, path, frames=frames)
    assert not path.exists()


def test_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="box"))
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "file" / "run.png", tmp_path):
        with pytest.raises(PoloError, match="could not be written"):
            film_strip(model, np.zeros((1, 2)), np.zeros(1), path, force_drawn=True)
        with pytest.raises(PoloError, match="could not be written"):
            thumbnail(model, np.zeros(2), path, force_drawn=True)


@pytest.mark.parametrize("drawn", [True, False])
def test_thumbnail_shows_the_state_in_one_size(
    drawn: bool, humanoid: mujoco.MjModel, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not drawn:
        request.getfixturevalue("egl")
    path = tmp_path / "new" / "start.png"
    extents = []
    for state in lying_then_standing(humanoid):
        made = thumbnail(humanoid, state, path, force_drawn=drawn)
        assert made == ("drawn" if drawn else "rendered")
        picture = imread(path)[..., :3].astype(float)
        assert picture.shape == (THUMBNAIL[1], THUMBNAIL[0], 3)
        assert path.stat().st_size < 60_000
        extents.append(extent(suit(picture)))
    (low, long), (high, short) = extents
    assert long > 3 * low and high > 3 * short
    assert long > THUMBNAIL[0] / 2 and high > THUMBNAIL[1] / 2  # it fills the picture
    assert [file.name for file in path.parent.iterdir()] == ["start.png"]


def test_thumbnail_rendered_and_drawn_agree(humanoid: mujoco.MjModel, tmp_path: Path, egl: None) -> None:
    masks = []
    for drawn in (False, True):
        path = tmp_path / f"{drawn}.png"
        thumbnail(humanoid, lying_then_standing(humanoid)[1], path, force_drawn=drawn)
        masks.append(suit(imread(path)))
    assert (masks[0] & masks[1]).sum() > 0.7 * (masks[0] | masks[1]).sum()


@pytest.mark.parametrize("drawn", [True, False])
def test_thumbnail_has_room_for_the_goal(drawn: bool, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(GOAL.format(mark=GHOST))
    path, columns = tmp_path / "start.png", []
    for place in (-12.0, 12.0):  # far beyond what the camera itself shows
        (state,) = states_of(model, np.zeros((1, 1)), np.array([[place, 0, 1]]))
        thumbnail(model, state, path, force_drawn=drawn)
        picture = imread(path)[..., :3].astype(float)
        assert red(picture).sum() > 100
        columns.append(middle(ghost(picture))[1])
    assert columns[0] < THUMBNAIL[0] / 5 and columns[1] > THUMBNAIL[0] * 4 / 5


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize(
    ("wall", "share"),
    [
        ("", 0.5),
        ('<geom type="box" pos="1 0 1" size="0.1 0.1 0.1" rgba="0 1 0 1"/>', 0.15),
        ('<geom type="box" pos="0 9 1" size="20 0.1 20" rgba="0 1 0 1"/>', 0.0132),
    ],
    ids=["nothing", "a block", "a wall with no end in sight"],
)
def test_thumbnail_shows_scenery_as_far_as_the_camera_does(
    wall: str, share: float, drawn: bool, tmp_path: Path
) -> None:
    camera = '<camera pos="0 -3 1" xyaxes="1 0 0 0 0 1" fovy="45"/>'
    model = mujoco.MjModel.from_xml_string(BOX.format(world=camera + wall, shape="box"))
    path = tmp_path / "start.png"
    thumbnail(model, np.zeros(2), path, force_drawn=drawn)
    picture = imread(path)[..., :3].astype(float)
    assert (picture[..., 0] - picture[..., 1] > 0.2).mean() == pytest.approx(share, rel=0.25)


def test_thumbnail_of_every_start_is_not_blank(cartpole: Task, humanoid_getup: Task, tmp_path: Path) -> None:
    for task in (cartpole, humanoid_getup):
        path = tmp_path / f"{task.name}.png"
        thumbnail(task.model, task.start_state(np.random.default_rng(0)), path)
        assert len(np.unique(imread(path).reshape(-1, 4), axis=0)) > 20


@pytest.mark.parametrize(
    ("state", "message"),
    [(np.zeros(3), r"states must have shape \(n, 2\)"), (np.full(2, np.inf), "states must be finite")],
)
def test_thumbnail_refuses_a_bad_state(state: Array, message: str, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="box"))
    with pytest.raises(PoloError, match=message):
        thumbnail(model, state, tmp_path / "start.png")
    assert list(tmp_path.iterdir()) == []
