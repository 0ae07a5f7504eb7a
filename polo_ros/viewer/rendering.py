"""Frames of a run as arrays of pixels: MuJoCo's off-screen renderer with a camera that follows the robot."""

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.tasks.state import set_state
from polo_ros.viewer.camera import cameras

Pixels = NDArray[np.uint8]

# a geom below this alpha is transparent
OPAQUE_ALPHA = 0.995


class NoOpenGLError(PoloError):
    """There is no OpenGL back end that MuJoCo could render with."""


def render(model: mujoco.MjModel, states: Array, size: tuple[int, int]) -> Pixels:
    """Render states, each from the camera that `polo_ros.viewer.camera` gives it.

    Args:
      model: the world.
      states: flat states, (n, state_size).
      size: width and height of a frame, in pixels.

    Returns:
      The frames, (n, height, width, 3).

    Raises:
      NoOpenGLError: this machine has no OpenGL back end that works.
    """
    width, height = size
    data = mujoco.MjData(model)
    frames = np.empty((len(states), height, width, 3), np.uint8)
    views = cameras(model, states, width / height)
    with _renderer(model, width, height) as renderer:
        # reflections on the floor hide where the feet touch it
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        with progress_bar(len(states), "render", "picture", patience=PATIENCE) as bar:
            for frame, state, camera in zip(frames, states, views, strict=True):
                set_state(model, data, state)
                mujoco.mj_forward(model, data)
                renderer.update_scene(data, camera)
                _adjust_shadows(renderer.scene, camera)
                renderer.render(out=frame)
                bar.update()
    return frames


def _adjust_shadows(scene: mujoco.MjvScene, camera: mujoco.MjvCamera) -> None:
    """Move the lights with the camera, and let transparent geoms cast no shadow."""
    for light in scene.lights[: scene.nlight]:
        # a directional light casts shadows only near its own position
        if light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL and light.castshadow:
            light.pos = light.pos + np.array([*camera.lookat[:2], 0.0])
    for geom in scene.geoms[: scene.ngeom]:
        if geom.rgba[3] < OPAQUE_ALPHA:
            geom.category = mujoco.mjtCatBit.mjCAT_DECOR


@contextmanager
def _renderer(model: mujoco.MjModel, width: int, height: int) -> Iterator[mujoco.Renderer]:
    """A renderer of this frame size, freed at the end; the model itself is not changed."""
    model = copy.copy(model)
    buffer = model.vis.global_
    buffer.offwidth, buffer.offheight = max(buffer.offwidth, width), max(buffer.offheight, height)
    try:
        with _headless_back_end():
            renderer = mujoco.Renderer(model, height, width)
    except Exception as error:  # a missing or broken OpenGL raises almost any exception
        back_end, reason = os.environ.get("MUJOCO_GL") or "unset", " ".join(str(error).split())
        raise NoOpenGLError(
            f"no OpenGL found with MUJOCO_GL {back_end} ({type(error).__name__}: {reason})"
        ) from error
    with renderer:
        yield renderer


@contextmanager
def _headless_back_end() -> Iterator[None]:
    """Let MuJoCo's renderer use EGL where MUJOCO_GL is unset and Linux has no display.

    MuJoCo chooses its back end when it is imported and takes GLFW by default, which needs a display.
    The choice is changed for one renderer only; contexts that the process has already stay as they are.
    """
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if os.environ.get("MUJOCO_GL") or sys.platform != "linux" or any(map(os.environ.get, displays)):
        yield
        return
    from mujoco import egl

    choice = sys.modules[mujoco.Renderer.__module__].gl_context  # where the renderer looks it up
    default = choice.GLContext
    choice.GLContext = egl.GLContext
    try:
        yield
    finally:
        choice.GLContext = default
