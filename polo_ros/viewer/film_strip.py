"""Pictures as PNG files: the film strip of a run and the thumbnail of a state."""

import io
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from matplotlib.figure import Figure

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.tasks.task import STATE_SPEC
from polo_ros.viewer.paint import fit, paint, render_context
from polo_ros.viewer.stage import Stage

_DPI = 100
_INK = "#2b2f36"
# width and height of a thumbnail, in pixels
THUMBNAIL = (480, 320)


def film_strip(
    model: mujoco.MjModel,
    states: Array,
    times: Array,
    path: Path,
    title: str = "",
    frames: int = 8,
    *,
    force_drawn: bool = False,
) -> str:
    """Write a PNG of a run, a panel per moment, seen from the model's first camera.

    All panels show one window, just large enough for what moves and for the goals. A model without a
    camera is seen from MuJoCo's default direction.

    Args:
      model: the world.
      states: flat states of `STATE_SPEC`, (n, state_size); goals stand where they have them.
      times: the time of each state, (n,), in s.
      path: the file; missing folders are made, an older file is replaced as a whole.
      title: a line above the panels.
      frames: the number of moments, spread evenly over the states, first and last included; a run
        of fewer states shows each once.
      force_drawn: draw even where rendering works.

    Returns:
      "rendered", or "drawn" where EGL is missing.

    Raises:
      PoloError: an argument has a wrong shape or value, or the file could not be written.
    """
    states, times = _checked(model, states), np.asarray(times, float)
    if times.shape != states.shape[:1]:
        raise PoloError(f"times must have shape ({len(states)},) as states has, not {times.shape}")
    if not np.isfinite(times).all():
        raise PoloError("times must be finite to be pictured")
    if frames < 1:
        raise PoloError(f"frames must be at least 1, not {frames}")
    picks = np.linspace(0, len(states) - 1, min(frames, len(states))).round().astype(int)
    captions = [f"{time:.2f} s" for time in times[picks]]
    with ExitStack() as stack:
        context = None if force_drawn else render_context(model, stack)
        figure = _compose(Stage(model, states[picks]), states[picks], captions, title, context)
    _save(figure, path)
    return "drawn" if context is None else "rendered"


def thumbnail(model: mujoco.MjModel, state: Array, path: Path, *, force_drawn: bool = False) -> str:
    """Write a small PNG of one state, seen from the model's first camera.

    It shows whatever moves, the goals, and the scenery as far as the camera itself shows it.

    Args:
      model: the world.
      state: a flat state of `STATE_SPEC`, (state_size,).
      path, force_drawn: as for `film_strip`.

    Returns:
      "rendered", or "drawn" where EGL is missing.

    Raises:
      PoloError: the state has a wrong shape or value, or the file could not be written.
    """
    states = _checked(model, np.asarray(state, float)[None])
    stage = Stage(model, states)
    lens = stage.take(states[0])
    aspect = THUMBNAIL[0] / THUMBNAIL[1]
    edge = lens.half_height * np.array([aspect, 1.0])
    scenery = np.clip(lens.project(stage.standing_points())[:, :2], -edge, edge)
    window = fit(np.concatenate([lens.project(stage.moving_points())[:, :2], scenery]), aspect, aspect)
    figure = Figure(figsize=(THUMBNAIL[0] / _DPI, THUMBNAIL[1] / _DPI), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    with ExitStack() as stack:
        context = None if force_drawn else render_context(model, stack)
        paint(axes, stage, lens, window, context)
    _save(figure, path)
    return "drawn" if context is None else "rendered"


def _checked(model: mujoco.MjModel, states: Array) -> Array:
    """Flat states as (n, state_size) floats.

    Raises:
      PoloError: a wrong shape, or a number that is not finite.
    """
    states = np.asarray(states, float)
    size = mujoco.mj_stateSize(model, STATE_SPEC)
    if states.ndim != 2 or states.shape[1] != size or not len(states):
        raise PoloError(f"states must have shape (n, {size}) with n > 0, not {states.shape}")
    if not np.isfinite(states).all():
        raise PoloError("states must be finite to be pictured")
    return states


def _compose(stage: Stage, states: Array, captions: list[str], title: str, context: Any) -> Figure:
    """The page of all panels, rendered, or drawn where `context` is None."""
    views = [(stage.take(state), stage.moving_points()) for state in states]
    # a tracking camera rises with the robot; held at one height, it shows the ground at one height
    height = np.mean([lens.origin[2] for lens, _ in views])
    for lens, _ in views:
        lens.origin[2] = height
    window = fit(np.concatenate([lens.project(points)[:, :2] for lens, points in views]), 0.5, 2.0)
    aspect = window.aspect

    # all lengths on the page are in inches and whole pixels, so that no panel is resampled
    columns = len(states) if len(states) * aspect <= 5 else min(math.ceil(len(states) / 2), 8)
    rows = math.ceil(len(states) / columns)
    gap, caption, head = 0.08, 0.34, 0.5 if title else 0.08
    wide = round(min(16 / columns, 4.0), 2)
    tall = round(wide / aspect, 2)
    width, length = columns * (wide + gap) + gap, rows * (tall + caption) + head
    figure = Figure(figsize=(width, length), dpi=_DPI, facecolor="white")
    style: dict[str, Any] = {"color": _INK, "ha": "center", "parse_math": False}
    figure.text(0.5, 1 - head / 2 / length, title, va="center", size=15, **style)
    for i, (state, (lens, _)) in enumerate(zip(states, views, strict=True)):
        left = gap + i % columns * (wide + gap)
        bottom = length - head - i // columns * (tall + caption) - tall
        below = (left + wide / 2) / width, (bottom - 0.06) / length
        figure.text(*below, captions[i], va="top", size=12, **style)
        stage.take(state)
        box = (left / width, bottom / length, wide / width, tall / length)
        paint(figure.add_axes(box), stage, lens, window, context)
    return figure


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG as a whole.

    Raises:
      PoloError: the file could not be written.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png")
    write_atomically(Path(path), png.getvalue())
