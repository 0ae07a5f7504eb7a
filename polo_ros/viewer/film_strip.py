"""Pictures as PNG files: the film strip of a run and the thumbnail of a state.

Where OpenGL is missing, curves of the run take the place of the frames, and the picture says so.
"""

import io
import logging
import math
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.tasks.state import state_size
from polo_ros.tasks.task import Task
from polo_ros.viewer.camera import natural_aspect
from polo_ros.viewer.rendering import NoOpenGLError, Pixels, render

RENDERED = "rendered"
_LOG = logging.getLogger(__name__)
THUMBNAIL = (480, 320)  # width and height, in pixels
# frames of a film strip: in a row, pixels across, and the allowed range of width over height
COLUMNS = 4
FRAME_WIDTH = 400
ASPECTS = (1.0, 1.6)
INK = "#2b2f36"
# in pixels: between frames, the line of text below a frame, the title's line
_GAP, _CAPTION, _HEAD = 8, 30, 46
_COLOURS = 256  # of a file's palette


def film_strip(
    task: Task,
    states: Array,
    times: Array,
    path: Path,
    title: str = "",
    frames: int = 8,
    rewards: Array | None = None,
    values: Array | None = None,
) -> str:
    """Write a PNG of a run: rendered frames, each with its time below, all at one scale.

    The camera follows a robot with a floating base; see `polo_ros.viewer.camera`. Where OpenGL is missing,
    the picture shows the task's measure, the rewards and the values over time instead.

    Args:
      task: the world and its measure.
      states: flat states, (n, state_size); goals are shown where each state has them.
      times: the time of each state, (n,), in s.
      path: the file; missing folders are made, an older file is replaced as a whole.
      title: a line above the frames.
      frames: the number of frames, spread evenly over the states, first and last included; a run of
        fewer states shows each once.
      rewards, values: of each state, (n,), shown only where OpenGL is missing.

    Returns:
      "rendered", or a sentence that says why the picture shows curves.

    Raises:
      PoloError: an argument has a wrong shape or value, or the file could not be written.
    """
    states, times = checked_run(task.model, states, times)
    if frames < 1:
        raise PoloError(f"frames must be at least 1, not {frames}")
    picks = np.linspace(0, len(states) - 1, min(frames, len(states))).round().astype(int)
    try:
        aspect = float(np.clip(natural_aspect(task.model, states[picks]), *ASPECTS))
        panels = render(task.model, states[picks], (FRAME_WIDTH, round(FRAME_WIDTH / aspect)))
    except NoOpenGLError as error:
        curves = {f"{task.measure.name} in {task.measure.unit}": task.measured(task.observe(states))}
        curves |= {name: row for name, row in (("reward", rewards), ("value", values)) if row is not None}
        return _write_curves(times, curves, path, title, str(error))
    _write_png(_page(panels, [f"{time:.2f} s" for time in times[picks]], title), path)
    return RENDERED


def thumbnail(task: Task, state: Array, path: Path) -> str:
    """Write a small PNG of one state; where OpenGL is missing, its measure and reward as text.

    Args:
      task: the world.
      state: a flat state, (state_size,).
      path: as for `film_strip`.

    Returns:
      "rendered", or a sentence that says why the picture shows text.

    Raises:
      PoloError: the state has a wrong shape or value, or the file could not be written.
    """
    states, _ = checked_run(task.model, np.asarray(state, float)[None], np.zeros(1))
    try:
        (frame,) = render(task.model, states, THUMBNAIL)
    except NoOpenGLError as error:
        view = task.observe(states[0])
        lines = [
            task.name,
            f"{task.measure.name}: {float(task.measured(view)):.2f} {task.measure.unit}",
            f"reward: {float(task.reward(view)):.3f}",
            "no picture: OpenGL was not found",
        ]
        image = Image.new("RGB", THUMBNAIL, "white")
        ImageDraw.Draw(image).text((24, 24), "\n".join(lines), fill=INK, font=ImageFont.load_default(20))
        _write_png(image, path)
        return _substituted(path, f"{error}, so the picture shows numbers")
    _write_png(Image.fromarray(frame), path)
    return RENDERED


def checked_run(model: mujoco.MjModel, states: Array, times: Array) -> tuple[Array, Array]:
    """States (n, state_size) and times (n,) as floats.

    Raises:
      PoloError: a wrong shape, or a number that is not finite.
    """
    states, times = np.asarray(states, float), np.asarray(times, float)
    size = state_size(model)
    if states.ndim != 2 or states.shape[1] != size or not len(states):
        raise PoloError(f"states must have shape (n, {size}) with n > 0, not {states.shape}")
    if times.shape != states.shape[:1]:
        raise PoloError(f"times must have shape ({len(states)},) as states has, not {times.shape}")
    for name, array in (("states", states), ("times", times)):
        if not np.isfinite(array).all():
            raise PoloError(f"{name} must be finite to be shown in a picture")
    return states, times


def _page(panels: Pixels, captions: list[str], title: str) -> Image.Image:
    """Frames in rows of four, each with its caption below, under a title."""
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    head = _HEAD if title else _GAP
    width, height = panels.shape[2] + _GAP, panels.shape[1] + _CAPTION
    page = Image.new("RGB", (columns * width + _GAP, rows * height + head), "white")
    draw = ImageDraw.Draw(page)
    draw.text((page.width / 2, head / 2), title, fill=INK, font=ImageFont.load_default(22), anchor="mm")
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left, top = _GAP + index % columns * width, head + index // columns * height
        page.paste(Image.fromarray(panel), (left, top))
        below = (left + panels.shape[2] / 2, top + panels.shape[1] + _CAPTION / 2)
        draw.text(below, caption, fill=INK, font=ImageFont.load_default(18), anchor="mm")
    return page


def _write_png(image: Image.Image, path: Path) -> None:
    """Write a PNG with a palette, as a whole.

    Raises:
      PoloError: the file could not be written.
    """
    png = io.BytesIO()
    image.quantize(_COLOURS, kmeans=3, dither=Image.Dither.NONE).save(png, format="PNG", optimize=True)
    write_atomically(Path(path), png.getvalue())


def _write_curves(times: Array, curves: dict[str, Array], path: Path, title: str, reason: str) -> str:
    """Write a PNG with one curve (n,) a row over time; the sentence that says why."""
    from matplotlib.figure import Figure  # takes most of a second to load, and is rarely needed

    figure = Figure(figsize=(8, 1 + 2 * len(curves)), layout="constrained")
    heading = f"{title}\nOpenGL was not found: curves in place of rendered frames".strip()
    figure.suptitle(heading, parse_math=False)
    panels = figure.subplots(len(curves), sharex=True, squeeze=False)[:, 0]
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        axes.plot(times, curve)
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    panels[-1].set_xlabel("time in s")
    figure.align_ylabels(panels)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    write_atomically(Path(path), png.getvalue())
    return _substituted(path, f"{reason}, so the picture shows curves")


def _substituted(path: Path, reason: str) -> str:
    """Log why a picture was not rendered, and return it."""
    _LOG.warning("%s: %s", path, reason)
    return reason
