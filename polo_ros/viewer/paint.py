"""Panels of pictures: a window of what a camera sees, rendered or, where EGL is missing, drawn."""

import math
from contextlib import ExitStack
from typing import Any, NamedTuple

import mujoco
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from polo_ros.arrays import Array
from polo_ros.viewer.stage import OPAQUE, RING, SHAPE, Lens, Stage

_SKY, _GROUND, _SHADOW = "#e6edf4", "#d3d9e0", "#b3bbc6"
# steps of each colour in a rendered picture: more make the file larger, not the picture better
_SHADES = 85


class Window(NamedTuple):
    """A rectangle in the picture of a lens: two corners, each right and up, (2,)."""

    low: Array
    high: Array

    @property
    def aspect(self) -> float:
        """Width over height."""
        width, height = self.high - self.low
        return float(width / height)


def fit(seen: Array, narrowest: float, widest: float) -> Window:
    """The smallest window of an allowed aspect around points (n, 2) with a margin."""
    low, high = seen.min(axis=0), seen.max(axis=0)
    span = high - low + 0.15 * (high - low).max()
    aspect = float(np.clip(span[0] / span[1], narrowest, widest))
    half = max(span[1], span[0] / aspect) / 2 * np.array([aspect, 1.0])
    return Window((low + high) / 2 - half, (low + high) / 2 + half)


def render_context(model: mujoco.MjModel, stack: ExitStack) -> Any:
    """A render context that `stack` frees, or None where there is no EGL."""
    try:
        from mujoco.egl import GLContext

        screen = GLContext(1, 1)  # pictures go to a buffer of their own size
        stack.callback(screen.free)
        screen.make_current()
        context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
    except Exception:  # a missing or broken EGL shows itself as almost any exception
        return None
    stack.callback(context.free)
    return context


def paint(axes: Axes, stage: Stage, lens: Lens, window: Window, context: Any) -> None:
    """Fill a panel with what the stage shows now, rendered, or drawn where `context` is None.

    Args:
      axes: the panel; of whole pixels, so that nothing is resampled.
      stage: with the state taken.
      lens: the camera.
      window: what of its picture to show, of the panel's aspect.
      context: see `render_context`.
    """
    low, high = window
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    axes.spines[:].set(color=_SHADOW, lw=0.8)
    if context is None:
        _draw(axes, stage, lens, window)
    else:
        width, height = axes.get_window_extent().size
        pixels = _render(stage.scene, lens, window, (round(width), round(height)), context)
        axes.imshow(pixels, extent=(low[0], high[0], low[1], high[1]), aspect="auto")


def _render(scene: Any, lens: Lens, window: Window, size: tuple[int, int], context: Any) -> Array:
    """A window in the picture of `lens` as (height, width, 3) in 0..1."""
    scale = 1.0 if lens.orthographic else lens.near
    low, high = window
    for eye in scene.camera:
        eye.pos = lens.origin
        eye.frustum_bottom, eye.frustum_top = low[1] * scale, high[1] * scale
        eye.frustum_center = (low[0] + high[0]) / 2 * scale
        eye.frustum_width = 0.0  # as the picture's aspect has it
    width, height = size[0] * 2, size[1] * 2  # twice as fine, for smooth edges
    view = mujoco.MjrRect(0, 0, width, height)
    mujoco.mjr_resizeOffscreen(width, height, context)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    mujoco.mjr_render(view, scene, context)
    pixels = np.empty((height, width, 3), np.uint8)
    mujoco.mjr_readPixels(pixels, None, view, context)
    smooth: Array = pixels[::-1].reshape(size[1], 2, size[0], 2, 3).mean(axis=(1, 3))
    return np.round(smooth / 255 * _SHADES) / _SHADES


def _draw(axes: Axes, stage: Stage, lens: Lens, window: Window) -> None:
    """Paint sky, ground, shadows and the hulls of the geoms, the farthest first."""
    bottom, top = window.low[1], window.high[1]
    axes.axhspan(bottom, top, color=_SKY, lw=0)
    geoms, every = stage.geoms(), stage.scene.geoms[: stage.scene.ngeom]
    floors = [g.pos[2] for g in every if g.type == SHAPE.mjGEOM_PLANE and g.mat[2, 2] > 0.99]
    ahead = math.hypot(lens.axes[2, 0], lens.axes[2, 1])
    if floors:
        no_horizon = lens.orthographic or ahead < 0.1
        horizon = top if no_horizon else np.clip(-lens.axes[2, 2] / ahead, bottom, top)
        axes.axhspan(bottom, horizon, color=_GROUND, lw=0)
        for hull in (points for geom, points in geoms if geom.rgba[3] >= OPAQUE):
            shadow = np.column_stack([hull[:, :2], np.full(len(hull), floors[0])])
            axes.fill(*_outline(lens.project(shadow)), color=_SHADOW, lw=0)
    # what stands side by side for a level look keeps the model's order, whatever the camera's tilt
    look = lens.axes[2] * ([1, 1, 0] if ahead > 0.9 else [1, 1, 1])
    # scenery first, however near it comes: a platform under the robot must not hide it
    painted, robot = [], []
    for geom, hull in geoms:
        away, seen = round(float(hull.mean(axis=0) @ look), 3), lens.project(hull)
        painted.append((stage.moves(geom), -away, geom.rgba, seen))
        if stage.moves(geom) and not stage.is_goal(geom):
            robot.append(seen[:, 2].mean())
    middle = np.mean(robot or [np.inf])
    for *_, rgba, seen in sorted(painted, key=lambda item: item[:2]):
        # what is far fades a little, so that the far leg can be told from the near one
        fade = float(np.clip(2 * (seen[:, 2].mean() - middle), 0.0, 0.4))
        tone = rgba[:3] * (1 - fade) + np.array(to_rgb(_SKY)) * fade
        axes.fill(*_outline(seen), fc=(*tone, rgba[3]), ec=(*tone * 0.65, rgba[3]), lw=0.8)


def _outline(seen: Array) -> Array:
    """The hull (2, 64) of projected points (n, 3): the farthest one in each of 64 directions."""
    corners: Array = seen[(seen[:, :2] @ RING[:, :2].T).argmax(axis=0), :2].T
    return corners
