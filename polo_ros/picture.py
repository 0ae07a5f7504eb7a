"""A film strip of a run: one PNG, a panel per moment, rendered or, where EGL is missing, drawn."""

import io
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import write_atomically

_DPI = 100
_INK, _SKY, _GROUND, _SHADOW = "#2b2f36", "#e6edf4", "#d3d9e0", "#b3bbc6"
_SHAPE = mujoco.mjtGeom
_ANGLES = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), 0 * _ANGLES], axis=1)
_TURNS = np.linspace(-np.pi / 2, np.pi / 2, 33)[:, None, None]
_ENDS = np.array([[[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]]])
_BALL = (_RING * np.cos(_TURNS) + _ENDS[0] * np.sin(_TURNS)).reshape(-1, 3)
_CORNERS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
# points on the hulls of the shapes that are scaled by their size
_UNIT = {
    _SHAPE.mjGEOM_SPHERE: _BALL,
    _SHAPE.mjGEOM_ELLIPSOID: _BALL,
    _SHAPE.mjGEOM_CYLINDER: (_RING + _ENDS).reshape(-1, 3),
    _SHAPE.mjGEOM_BOX: _CORNERS,
}


@dataclass(frozen=True)
class _Lens:
    """A camera: its place (3,), its axes right, up, forward (3, 3), its near plane in m."""

    origin: Array
    axes: Array
    near: float
    orthographic: bool

    def project(self, points: Array) -> Array:
        """Right and up in the picture and depth (..., 3) of points (..., 3) in the world."""
        seen: Array = (points - self.origin) @ self.axes.T
        seen[..., :2] /= 1.0 if self.orthographic else np.maximum(seen[..., 2:], self.near)
        return seen


class _Stage:
    """The model in one pose at a time, and what a camera sees of it in all `poses` (n, nq)."""

    def __init__(self, model: mujoco.MjModel, poses: Array) -> None:
        self._model, self._data = model, mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, 10_000)
        self.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False  # glare hides the feet
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        if model.ncam:
            self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        else:
            mujoco.mjv_defaultFreeCamera(model, self._camera)
            clouds = [self.moving_points() for pose in poses if self.pose(pose)]
            low, high = np.min(np.concatenate(clouds), 0), np.max(np.concatenate(clouds), 0)
            self._camera.lookat = (low + high) / 2
            self._camera.distance = 2 * np.linalg.norm(high - low)

    def pose(self, qpos: Array) -> _Lens:
        """Take the pose qpos (nq,) and tell where the camera is then."""
        self._data.qpos[:] = qpos
        mujoco.mj_forward(self._model, self._data)
        what = (self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(self._model, self._data, *what, self.scene)
        eyes = self.scene.camera  # a scene always has two of them, for stereo
        up, forward = np.array(eyes[0].up, float), np.array(eyes[0].forward, float)
        axes = np.stack([np.cross(forward, up), up, forward])
        origin = np.mean([eye.pos for eye in eyes], axis=0, dtype=float)
        return _Lens(origin, axes, eyes[0].frustum_near, bool(eyes[0].orthographic))

    def geoms(self) -> list[tuple[Any, Array]]:
        """The visible geoms but planes, each with points (n, 3) on its hull."""
        pairs = [(geom, self._hull(geom)) for geom in self.scene.geoms[: self.scene.ngeom]]
        return [(geom, points) for geom, points in pairs if len(points) and geom.rgba[3] > 0]

    def _hull(self, geom: Any) -> Array:
        local: Array = _UNIT.get(geom.type, np.empty((0, 3))) * geom.size
        if geom.type == _SHAPE.mjGEOM_CAPSULE:
            local = (_BALL * geom.size[0] + _ENDS * geom.size[2]).reshape(-1, 3)
        elif geom.type == _SHAPE.mjGEOM_MESH:
            mesh = self._model.mesh(geom.dataid // 2)  # a scene counts each mesh and its hull
            local = self._model.mesh_vert[mesh.vertadr[0] :][: mesh.vertnum[0]]
        placed: Array = local @ np.array(geom.mat, float).T + geom.pos
        return placed

    def moves(self, geom: Any) -> bool:
        """Whether a geom belongs to a body that can move; marks of sites and the like do not."""
        if geom.objtype != mujoco.mjtObj.mjOBJ_GEOM:
            return False
        return bool(self._model.body_weldid[self._model.geom_bodyid[geom.objid]])

    def moving_points(self) -> Array:
        """Points (n, 3) on the geoms that can move, or around the model where none can."""
        around = self._model.stat.center + _CORNERS * self._model.stat.extent / 2
        return np.concatenate([hull for g, hull in self.geoms() if self.moves(g)] or [around])


def film_strip(
    model: mujoco.MjModel,
    qpos: Array,
    times: Array,
    path: Path,
    title: str = "",
    frames: int = 8,
    *,
    force_drawn: bool = False,
) -> str:
    """Write a PNG of a run, a panel per moment, seen from the model's first camera.

    All panels show one window, just large enough for what moves. A model without a camera is seen
    from MuJoCo's default direction.

    Args:
      model: the world; mocap bodies stand where the model puts them.
      qpos: positions, (n, nq), in m and rad.
      times: the time of each row of `qpos`, (n,), in s.
      path: the file; missing folders are made, an older file is replaced as a whole.
      title: a line above the panels.
      frames: the number of moments, spread evenly over the rows, first and last included; a run
        of fewer rows shows each once.
      force_drawn: draw even where rendering works.

    Returns:
      "rendered", or "drawn" where EGL is missing.

    Raises:
      PoloError: an argument has a wrong shape or value, or the file could not be written.
    """
    qpos, times = np.asarray(qpos, float), np.asarray(times, float)
    if qpos.ndim != 2 or qpos.shape[1] != model.nq or not len(qpos):
        raise PoloError(f"qpos must have shape (n, {model.nq}) with n > 0, not {qpos.shape}")
    if times.shape != qpos.shape[:1]:
        raise PoloError(f"times must have shape ({len(qpos)},) as qpos has, not {times.shape}")
    if not (np.isfinite(qpos).all() and np.isfinite(times).all()):
        raise PoloError("qpos and times must be finite to be pictured")
    if frames < 1:
        raise PoloError(f"frames must be at least 1, not {frames}")
    picks = np.linspace(0, len(qpos) - 1, min(frames, len(qpos))).round().astype(int)
    captions = [f"{time:.2f} s" for time in times[picks]]
    with ExitStack() as stack:
        context = None if force_drawn else _render_context(model, stack)
        png = _compose(_Stage(model, qpos[picks]), qpos[picks], captions, title, context)
    write_atomically(Path(path), png)
    return "drawn" if context is None else "rendered"


def _compose(stage: _Stage, poses: Array, captions: list[str], title: str, context: Any) -> bytes:
    """The PNG of all panels, rendered, or drawn where `context` is None."""
    views = [(stage.pose(pose), stage.moving_points()) for pose in poses]
    # a tracking camera rises with the robot; held at one height, it shows the ground at one height
    height = np.mean([lens.origin[2] for lens, _ in views])
    for lens, _ in views:
        lens.origin[2] = height
    seen = np.concatenate([lens.project(points)[:, :2] for lens, points in views])
    low, high = seen.min(axis=0), seen.max(axis=0)
    span = high - low + 0.15 * (high - low).max()
    aspect = float(np.clip(span[0] / span[1], 0.5, 2.0))
    half = max(span[1], span[0] / aspect) / 2 * np.array([aspect, 1.0])
    low, high = (low + high) / 2 - half, (low + high) / 2 + half

    # all lengths on the page are in inches and whole pixels, so that no panel is resampled
    columns = len(poses) if len(poses) * aspect <= 5 else min(math.ceil(len(poses) / 2), 8)
    rows = math.ceil(len(poses) / columns)
    gap, caption, head = 0.08, 0.34, 0.5 if title else 0.08
    wide = round(min(16 / columns, 4.0), 2)
    tall = round(wide / aspect, 2)
    width, length = columns * (wide + gap) + gap, rows * (tall + caption) + head
    figure = Figure(figsize=(width, length), dpi=_DPI, facecolor="white")
    style: dict[str, Any] = {"color": _INK, "ha": "center", "parse_math": False}
    figure.text(0.5, 1 - head / 2 / length, title, va="center", size=15, **style)
    for i, (pose, (lens, _)) in enumerate(zip(poses, views, strict=True)):
        left = gap + i % columns * (wide + gap)
        bottom = length - head - i // columns * (tall + caption) - tall
        box = (left / width, bottom / length, wide / width, tall / length)
        axes = figure.add_axes(box, xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color=_SHADOW, lw=0.8)
        below = (left + wide / 2) / width, (bottom - 0.06) / length
        figure.text(*below, captions[i], va="top", size=12, **style)
        stage.pose(pose)
        if context is None:
            _draw(axes, stage, lens, low, high)
        else:
            size = round(wide * _DPI), round(tall * _DPI)
            pixels = _render(stage.scene, lens, low, high, size, context)
            axes.imshow(pixels, extent=(low[0], high[0], low[1], high[1]), aspect="auto")
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _render_context(model: mujoco.MjModel, stack: ExitStack) -> Any:
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


def _render(scene: Any, lens: _Lens, low: Array, high: Array, size: tuple[int, int], context: Any) -> Array:
    """The window from `low` to `high` in the picture of `lens` as (height, width, 3) in 0..1."""
    scale = 1.0 if lens.orthographic else lens.near
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
    smooth: Array = pixels[::-1].reshape(size[1], 2, size[0], 2, 3).mean(axis=(1, 3)) / 255
    return smooth


def _draw(axes: Axes, stage: _Stage, lens: _Lens, low: Array, high: Array) -> None:
    """Paint sky, ground, shadows and the hulls of the geoms, the farthest first."""
    axes.axhspan(low[1], high[1], color=_SKY, lw=0)
    geoms, every = stage.geoms(), stage.scene.geoms[: stage.scene.ngeom]
    floors = [g.pos[2] for g in every if g.type == _SHAPE.mjGEOM_PLANE and g.mat[2, 2] > 0.99]
    ahead = math.hypot(lens.axes[2, 0], lens.axes[2, 1])
    if floors:
        no_horizon = lens.orthographic or ahead < 0.1
        horizon = high[1] if no_horizon else np.clip(-lens.axes[2, 2] / ahead, low[1], high[1])
        axes.axhspan(low[1], horizon, color=_GROUND, lw=0)
        for _, hull in geoms:
            shadow = np.column_stack([hull[:, :2], np.full(len(hull), floors[0])])
            axes.fill(*_outline(lens.project(shadow)), color=_SHADOW, lw=0)
    # what stands side by side for a level look keeps the model's order, whatever the camera's tilt
    look = lens.axes[2] * ([1, 1, 0] if ahead > 0.9 else [1, 1, 1])
    # scenery first, however near it comes: a platform under the robot must not hide it
    painted = []
    for geom, hull in geoms:
        away = round(float(hull.mean(axis=0) @ look), 3)
        painted.append((stage.moves(geom), -away, geom.rgba, lens.project(hull)))
    middle = np.mean([seen[:, 2].mean() for moves, *_, seen in painted if moves] or [np.inf])
    for *_, rgba, seen in sorted(painted, key=lambda item: item[:2]):
        # what is far fades a little, so that the far leg can be told from the near one
        fade = float(np.clip(2 * (seen[:, 2].mean() - middle), 0.0, 0.4))
        tone = rgba[:3] * (1 - fade) + np.array(to_rgb(_SKY)) * fade
        axes.fill(*_outline(seen), fc=(*tone, rgba[3]), ec=(*tone * 0.65, rgba[3]), lw=0.8)


def _outline(seen: Array) -> Array:
    """The hull (2, 64) of projected points (n, 3): the farthest one in each of 64 directions."""
    corners: Array = seen[(seen[:, :2] @ _RING[:, :2].T).argmax(axis=0), :2].T
    return corners
