"""Pictures as PNG files: the film strip of a run and the thumbnail of a state.

Where OpenGL is missing, curves of the run take the place of the frames, and the picture says so.
"""

import io
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Strip:
    """A run to be shown.

    Attributes:
      states: flat states, (n, state_size); goals are shown where each state has them.
      times: the time of each state, (n,), in s.
      title: a line above the frames.
      rewards, values: of each state, (n,), shown only where OpenGL is missing.
    """

    states: Array
    times: Array
    title: str = ""
    rewards: Array | None = None
    values: Array | None = None

    def curves(self, task: Task) -> dict[str, Array]:
        """What is shown over time where OpenGL is missing, by name, (n,) each."""
        found = {f"{task.measure.name} in {task.measure.unit}": task.measured(task.observe(self.states))}
        rows = (("reward", self.rewards), ("value", self.values))
        return found | {name: row for name, row in rows if row is not None}


def film_strip(task: Task, strips: Sequence[Strip], path: Path, frames: int = 8) -> str:
    """Write a PNG of runs, one below the other: rendered frames, each with its time below, all at one scale.

    The camera follows a robot with a floating base; see `polo_ros.viewer.camera`. Where OpenGL is missing,
    the picture shows the task's measure, the rewards and the values over time instead.

    Args:
      task: the world and its measure.
      strips: the runs.
      path: the file; missing folders are made, an older file is replaced as a whole.
      frames: the number of frames of each run, spread evenly over its states, first and last included; a run
        of fewer states shows each once.

    Returns:
      "rendered", or a sentence that says why the picture shows curves.

    Raises:
      PoloError: an argument has a wrong shape or value, or the file could not be written.
    """
    for strip in strips:
        check_run(task.model, strip.states, strip.times)
    if frames < 1:
        raise PoloError(f"frames must be at least 1, not {frames}")
    picks = [
        np.linspace(0, len(strip.states) - 1, min(frames, len(strip.states))).round().astype(int)
        for strip in strips
    ]
    picked = [strip.states[pick] for strip, pick in zip(strips, picks, strict=True)]
    try:
        aspect = float(np.clip(natural_aspect(task.model, np.concatenate(picked)), *ASPECTS))
        size = FRAME_WIDTH, round(FRAME_WIDTH / aspect)
        panels = [render(task.model, states, size) for states in picked]
    except NoOpenGLError as error:
        return _write_curves(task, strips, path, str(error))
    pages = [
        _page(frames_of_run, [f"{time:.2f} s" for time in strip.times[pick]], strip.title)
        for strip, pick, frames_of_run in zip(strips, picks, panels, strict=True)
    ]
    _write_png(_stacked(pages), path)
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
    states = np.asarray(state, float)[None]
    check_run(task.model, states, np.zeros(1))
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


def check_run(model: mujoco.MjModel, states: Array, times: Array) -> None:
    """Refuse states that are not (n, state_size), and times that are not (n,).

    Raises:
      PoloError: a wrong shape, or a number that is not finite.
    """
    size = state_size(model)
    if states.ndim != 2 or states.shape[1] != size or not len(states):
        raise PoloError(f"states must have shape (n, {size}) with n > 0, not {states.shape}")
    if times.shape != states.shape[:1]:
        raise PoloError(f"times must have shape ({len(states)},) as states has, not {times.shape}")
    for name, array in (("states", states), ("times", times)):
        if not np.isfinite(array).all():
            raise PoloError(f"{name} must be finite to be shown in a picture")


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


def _stacked(pages: Sequence[Image.Image]) -> Image.Image:
    """Pages one below the other."""
    page = Image.new("RGB", (max(each.width for each in pages), sum(each.height for each in pages)), "white")
    top = 0
    for each in pages:
        page.paste(each, (0, top))
        top += each.height
    return page


def _write_png(image: Image.Image, path: Path) -> None:
    """Write a PNG with a palette, as a whole.

    Raises:
      PoloError: the file could not be written.
    """
    png = io.BytesIO()
    image.quantize(_COLOURS, kmeans=3, dither=Image.Dither.NONE).save(png, format="PNG", optimize=True)
    write_atomically(Path(path), png.getvalue())


def _write_curves(task: Task, strips: Sequence[Strip], path: Path, reason: str) -> str:
    """Write a PNG with one kind of curve a row over time, and a line a run; the sentence that says why."""
    from matplotlib.figure import Figure  # takes most of a second to load, and is rarely needed

    names = list(strips[0].curves(task))
    figure = Figure(figsize=(8, 1 + 2 * len(names)), layout="constrained")
    titles = [strip.title for strip in strips if strip.title]
    heading = "OpenGL was not found: curves in place of rendered frames"
    figure.suptitle("\n".join([*titles[: len(strips) == 1], heading]), parse_math=False)
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for strip in strips:
        for axes, curve in zip(panels, strip.curves(task).values(), strict=True):
            axes.plot(strip.times, curve, label=strip.title)
    for axes, name in zip(panels, names, strict=True):
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
    if len(strips) > 1:
        for text in panels[0].legend().get_texts():
            text.set_parse_math(False)
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
