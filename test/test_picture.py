"""Film strips: what they show, with and without EGL, and what they refuse."""

import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
from matplotlib.image import imread

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.picture import film_strip
from polo_ros.share import share_path

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


def lying_then_standing(model: mujoco.MjModel) -> Array:
    return np.array([model.key("supine").qpos, model.key("standing").qpos])


def panels(path: Path, count: int) -> list[Array]:
    """The panels of a picture with one row of them, captions included."""
    return np.array_split(imread(path)[..., :3].astype(float), count, axis=1)


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
    qpos = lying_then_standing(humanoid)
    assert film_strip(humanoid, qpos, np.array([0, 0.48]), path, force_drawn=True) == "drawn"
    assert_lies_then_stands(path)
    assert [file.name for file in path.parent.iterdir()] == ["run.png"]


def test_rendering_shows_the_pose_of_each_moment(humanoid: mujoco.MjModel, tmp_path: Path, egl: None) -> None:
    path, qpos = tmp_path / "run.png", lying_then_standing(humanoid)
    for _ in range(2):  # the second needs what the first has freed
        assert film_strip(humanoid, qpos, np.array([0, 0.48]), path) == "rendered"
    assert_lies_then_stands(path)


def test_rendering_and_drawing_agree(humanoid: mujoco.MjModel, tmp_path: Path, egl: None) -> None:
    masks = []
    for drawn in (False, True):
        path = tmp_path / f"{drawn}.png"
        qpos = lying_then_standing(humanoid)
        film_strip(humanoid, qpos, np.zeros(2), path, force_drawn=drawn)
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
    qpos = lying_then_standing(humanoid)[:1]
    assert film_strip(humanoid, qpos, np.zeros(1), tmp_path / "run.png") == "drawn"


def test_frames_are_spread_evenly_and_never_repeated(tmp_path: Path) -> None:
    camera = '<camera pos="0 -9 1" xyaxes="1 0 0 0 0 1"/>'
    model = mujoco.MjModel.from_xml_string(BOX.format(world=camera, shape="box"))
    qpos, path = np.linspace(0, 1, 9)[:, None], tmp_path / "run.png"

    def heights(rows: int, frames: int, count: int) -> list[float]:
        times = np.arange(rows, dtype=float)
        film_strip(model, qpos[:rows], times, path, frames=frames, force_drawn=True)
        reds = [panel[..., 0] - panel[..., 2] > 0.5 for panel in panels(path, count)]
        assert all(red.any() for red in reds)
        return [float(np.nonzero(red)[0].mean()) for red in reds]

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
    film_strip(model, np.zeros((1, 1)), np.zeros(1), path, force_drawn=drawn)
    (panel,) = panels(path, 1)
    red = panel[..., 0] - panel[..., 2] > 0.2
    assert 0.3 < red.mean() < 0.9  # the window fits what moves


def test_free_camera_steps_back_for_a_long_way(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="sphere"))
    path = tmp_path / "run.png"
    film_strip(model, np.array([[0.0], [9.0]]), np.zeros(2), path, force_drawn=True)
    sizes = [(panel[..., 0] - panel[..., 2] > 0.5).sum() for panel in panels(path, 2)]
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
    film_strip(model, model.qpos0[None], np.zeros(1), path, force_drawn=True)
    assert (panels(path, 1)[0][..., 2] < 0.3).mean() > 0.2


def test_world_without_anything_that_moves_is_pictured(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody/></mujoco>")
    path = tmp_path / "run.png"
    film_strip(model, np.zeros((2, 0)), np.zeros(2), path, "a $ and a $", force_drawn=True)
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("qpos", "times", "frames", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3), 8, r"qpos must have shape \(n, 1\)"),
        (np.zeros(3), np.zeros(3), 8, r"qpos must have shape \(n, 1\)"),
        (np.zeros((0, 1)), np.zeros(0), 8, "n > 0"),
        (np.zeros((3, 1)), np.zeros(2), 8, r"times must have shape \(3,\)"),
        (np.full((3, 1), np.nan), np.zeros(3), 8, "finite"),
        (np.zeros((3, 1)), np.zeros(3), 0, "frames must be at least 1"),
    ],
)
def test_bad_input_is_refused(qpos: Array, times: Array, frames: int, message: str, tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="box"))
    path = tmp_path / "run.png"
    with pytest.raises(PoloError, match=message):
        film_strip(model, qpos, times, path, frames=frames)
    assert not path.exists()


def test_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    model = mujoco.MjModel.from_xml_string(BOX.format(world="", shape="box"))
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "file" / "run.png", tmp_path):
        with pytest.raises(PoloError, match="could not be written"):
            film_strip(model, np.zeros((1, 1)), np.zeros(1), path, force_drawn=True)
