"""Film strips, thumbnails and animations: what they show, with and without OpenGL, and what they refuse."""

import os
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.tasks import Task, make_task
from polo_ros.viewer.animation import animation
from polo_ros.viewer.camera import floating_base
from polo_ros.viewer.film_strip import RENDERED, THUMBNAIL, Strip, film_strip, thumbnail
from polo_ros.viewer.rendering import NoOpenGLError, render

WITHOUT_OPENGL = """
import sys
from pathlib import Path
import numpy as np
from polo_ros.tasks import make_task
from polo_ros.viewer.animation import animation
from polo_ros.viewer.film_strip import Strip, film_strip, thumbnail
from polo_ros.viewer.rendering import NoOpenGLError
task, out = make_task("cartpole_swingup"), Path(sys.argv[1])
states, times = np.tile(task.start_state(np.random.default_rng(0)), (5, 1)), np.arange(5.0)
run = Strip(states, times, "a $ and a $", rewards=times, values=times)
print(film_strip(task, [run], out / "strip.png"))
print(film_strip(task, [run, run], out / "strips.png"))
print(thumbnail(task, states[0], out / "start.png"))
try:
    animation(task, states, times, out / "run.gif")
except NoOpenGLError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def opengl() -> None:
    try:
        render(mujoco.MjModel.from_xml_string("<mujoco/>"), np.empty((1, 0)), (16, 16))
    except NoOpenGLError as error:
        pytest.skip(str(error))


def lying_and_standing(task: Task) -> Array:
    """States (2, state_size): on the back where the world begins, and upright 30 m ahead."""
    data, states = mujoco.MjData(task.model), []
    for name, ahead in (("supine", 0.0), ("standing", 30.0)):
        mujoco.mj_resetDataKeyframe(task.model, data, task.model.key(name).id)
        data.qpos[0] += ahead
        states.append(task.state_of(data))
    return np.array(states)


def suit(pixels: Array) -> Mask:
    """The pixels in the blue of the humanoid's suit; sky and ground are greyer."""
    picture = np.asarray(pixels, float)
    return picture[..., 2] - picture[..., 0] > 60


def extent(mask: Mask) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    return int(np.ptp(rows)), int(np.ptp(columns))


def test_the_camera_follows_the_robot_at_one_scale(humanoid_getup: Task, opengl: None) -> None:
    frames = render(humanoid_getup.model, lying_and_standing(humanoid_getup), (160, 120))
    (low, long), (high, short) = (extent(suit(frame)) for frame in frames)
    assert long > 2 * low and high > 2 * short
    assert high > 60 and long == pytest.approx(high, rel=0.3)  # legs and trunk are as long in both
    for frame in frames:
        rows, columns = np.nonzero(suit(frame))
        assert rows.min() > 0 and rows.max() < 119 and columns.min() > 0 and columns.max() < 159


def test_robots_without_a_floating_base_are_not_followed(cartpole: Task, humanoid_getup: Task) -> None:
    assert floating_base(cartpole.model) is None
    assert floating_base(make_task("hand_cube").model) is None  # the cube is free, but has no motor
    base = floating_base(humanoid_getup.model)
    assert base is not None and humanoid_getup.model.body(base).name == "torso"


def test_a_model_without_a_camera_is_seen_whole(opengl: None) -> None:
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><light pos="0 0 9"/>
        <body><joint type="slide" axis="0 0 1"/><geom size="0.5" rgba="0 0 1 1"/></body>
        </worldbody></mujoco>"""
    )
    low, high = (suit(frame) for frame in render(model, np.array([[0.0, 0.0], [9.0, 0.0]]), (80, 80)))
    assert low.sum() > 20 and high.sum() > 20
    assert np.nonzero(low)[0].mean() > np.nonzero(high)[0].mean() + 20


def test_film_strip_and_thumbnail_are_rendered(humanoid_getup: Task, tmp_path: Path, opengl: None) -> None:
    states = lying_and_standing(humanoid_getup)
    strip, start = tmp_path / "new" / "strip.png", tmp_path / "start.png"
    run = Strip(states, np.array([0.0, 0.48]), "a title")
    assert film_strip(humanoid_getup, [run], strip) == RENDERED
    with Image.open(strip) as picture:
        left, right = np.array_split(np.asarray(picture.convert("RGB")), 2, axis=1)
    assert extent(suit(left))[1] > extent(suit(right))[1]
    assert [file.name for file in strip.parent.iterdir()] == ["strip.png"]
    assert thumbnail(humanoid_getup, states[1], start) == RENDERED
    assert start.stat().st_size < 60_000
    with Image.open(start) as picture:
        assert picture.size == THUMBNAIL
        assert extent(suit(picture.convert("RGB")))[0] > THUMBNAIL[1] / 2  # it fills the picture


def test_runs_are_shown_one_below_the_other(humanoid_getup: Task, tmp_path: Path, opengl: None) -> None:
    lying, standing = (np.tile(state, (2, 1)) for state in lying_and_standing(humanoid_getup))
    runs = [Strip(states, np.arange(2.0), title) for states, title in ((lying, "one"), (standing, "other"))]
    assert film_strip(humanoid_getup, runs, tmp_path / "runs.png", frames=2) == RENDERED
    with Image.open(tmp_path / "runs.png") as picture:
        upper, lower = np.array_split(np.asarray(picture.convert("RGB")), 2, axis=0)
    assert extent(suit(upper))[0] < extent(suit(lower))[0]


@pytest.mark.parametrize(("name", "kind"), [("run.gif", "GIF"), ("run.png", "PNG")])
def test_an_animation_runs_in_real_time_and_repeats(
    name: str, kind: str, cartpole: Task, tmp_path: Path, opengl: None
) -> None:
    states, times = np.zeros((11, cartpole.state_size)), np.arange(11) * 0.02
    states[:, 1] = np.linspace(0.0, 1.0, 11)  # the pole falls
    assert animation(cartpole, states, times, tmp_path / name, (80, 60)) == 6
    with Image.open(tmp_path / name) as picture:
        assert picture.format == kind and picture.n_frames == 6 and picture.info["loop"] == 0
        assert picture.info["duration"] == 40
        first = np.asarray(picture.convert("RGB"), float)
        picture.seek(5)
        assert np.abs(np.asarray(picture.convert("RGB")) - first).max() > 50


def test_without_opengl_the_pictures_show_curves_and_say_so(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENGL, str(tmp_path)],
        env={**os.environ, "MUJOCO_GL": "disable"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    strip, strips, start, moving = ended.stdout.strip().splitlines()
    for said in (strip, strips):
        assert said.startswith("no OpenGL found") and said.endswith("curves")
    assert start.startswith("no OpenGL found") and start.endswith("numbers")
    assert moving.startswith("no OpenGL found")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["start.png", "strip.png", "strips.png"]
    for name in ("start.png", "strip.png", "strips.png"):
        with Image.open(tmp_path / name) as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(
    ("states", "times", "frames", "message"),
    [
        (np.zeros((3, 3)), np.zeros(3), 8, r"states must have shape \(n, 4\)"),
        (np.zeros((0, 4)), np.zeros(0), 8, "n > 0"),
        (np.zeros((3, 4)), np.zeros(2), 8, r"times must have shape \(3,\)"),
        (np.full((3, 4), np.nan), np.zeros(3), 8, "states must be finite"),
        (np.zeros((3, 4)), np.full(3, np.inf), 8, "times must be finite"),
        (np.zeros((3, 4)), np.zeros(3), 0, "frames must be at least 1"),
    ],
)
def test_bad_input_is_refused(
    states: Array, times: Array, frames: int, message: str, cartpole: Task, tmp_path: Path
) -> None:
    with pytest.raises(PoloError, match=message):
        film_strip(cartpole, [Strip(states, times)], tmp_path / "run.png", frames=frames)
    assert not list(tmp_path.iterdir())


def test_an_animation_refuses_other_files_and_times(cartpole: Task, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=r"a \.gif or \.png file, not run\.mp4"):
        animation(cartpole, np.zeros((2, 4)), np.arange(2.0), tmp_path / "run.mp4")
    with pytest.raises(PoloError, match="times must increase"):
        animation(cartpole, np.zeros((2, 4)), np.zeros(2), tmp_path / "run.gif")


def test_a_path_that_cannot_be_written_is_refused(cartpole: Task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for path in (tmp_path / "file" / "run.png", tmp_path):
        with pytest.raises(PoloError, match="could not be written"):
            thumbnail(cartpole, np.zeros(4), path)
