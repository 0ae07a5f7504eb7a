"""A moving picture of a run."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.tasks.task import Task
from polo_ros.viewer.film_strip import INK, check_run
from polo_ros.viewer.rendering import render

FRAME_PERIOD = 0.04  # s; GIF files count in hundredths of a second
LAST_FRAME_PERIOD = 1.0  # s, before the picture starts again
COLOURS = 128  # of the one palette of all frames: more make the file larger


def animation(task: Task, states: Array, times: Array, path: Path, size: tuple[int, int] = (480, 480)) -> int:
    """Write a GIF or an animated PNG that shows a run in real time, again and again,
    with the time in a corner.

    The camera follows a robot with a floating base; see `polo_ros.viewer.camera`.

    Args:
      task: the world.
      states: flat states, (n, state_size).
      times: the time of each state, (n,), in s, increasing.
      path: the file, `.gif` or `.png`; missing folders are made, an older file is replaced as a whole.
      size: width and height, in pixels.

    Returns:
      The number of frames, 25 a second.

    Raises:
      NoOpenGLError: this machine has no OpenGL to render with.
      PoloError: an argument has a wrong shape or value, or the file could not be written.
    """
    formats = {".gif": "GIF", ".png": "PNG", ".apng": "PNG"}
    if path.suffix.lower() not in formats:
        raise PoloError(f"an animation is a .gif or .png file, not {path.name}")
    check_run(task.model, states, times)
    if (np.diff(times) <= 0.0).any():
        raise PoloError("times must increase to be shown as an animation")
    moments = np.arange(times[0], times[-1] + FRAME_PERIOD / 2, FRAME_PERIOD)
    picks = np.searchsorted(times, moments - 1e-9).clip(max=len(times) - 1)
    frames = render(task.model, states[picks], size)
    # one palette for all frames, so that what stands still keeps its colour
    palette = Image.fromarray(np.concatenate(frames[:: max(len(frames) // 8, 1)])).quantize(COLOURS, kmeans=3)
    font, images = ImageFont.load_default(size[1] // 20), []
    for frame, time in zip(frames, times[picks], strict=True):
        image = Image.fromarray(frame)
        place = (10, size[1] - 10)
        ImageDraw.Draw(image).text(place, f"{time:.2f} s", fill=INK, font=font, anchor="lb")
        images.append(image.quantize(palette=palette, dither=Image.Dither.NONE))
    durations = [round(1e3 * FRAME_PERIOD)] * (len(images) - 1) + [round(1e3 * LAST_FRAME_PERIOD)]
    file = io.BytesIO()
    images[0].save(
        file, format=formats[path.suffix.lower()], save_all=True, append_images=images[1:],
        duration=durations, loop=0, optimize=True,
    )  # fmt: skip
    write_atomically(path, file.getvalue())
    return len(images)
