"""A film strip of a run: one PNG, a panel per moment, rendered or, where EGL is missing, drawn."""

import io
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from polo_ros.arrays import Array
from polo_ros.errors import PoloError

_DPI = 100
_INK, _SKY, _GROUND, _SHADOW = "#2b2f36", "#e6edf4", "#c9d0d8", "#aeb7c1"
_ANGLES = np.linspace(0, 2 * np.pi, 64, endpoint=False)
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), 0 * _ANGLES], axis=1)
_TURNS = np.linspace(-np.pi / 2, np.pi / 2, 33)[:, None, None]
_BALL = (_RING * np.cos(_TURNS) + [0, 0, 1] * np.sin(_TURNS)).reshape(-1, 3)
_CORNERS = np.stack(np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]), axis=-1).reshape(-1, 3)
_ENDS = np.array([[[0.0, 0.0, 1.0]], [[0.0, 0.0, -1.0]]])


@dataclass(frozen=True)
class _Lens:
    """Where a camera stands (3,), its axes right, up, forward (3, 3), near and far plane in m."""

    origin: Array
    axes: Array
    near: float
    far: float
    flat: bool

    def project(self, points: Array) -> Array:
        """Right and up in the picture and depth (..., 3) of points (..., 3) in the world."""
        seen: Array = (points - self.origin) @ self.axes.T
        seen[..., :2] /= 1.0 if self.flat else np.maximum(seen[..., 2:], self.near)
        return seen


class _Stage:
    """The model in one pose at a time, and what its first camera sees of it."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model, self.data = model, mujoco.MjData(model)
        self.scene = mujoco.MjvScene(model, 10_000)
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        if model.ncam:
            self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
        else:
            mujoco.mjv_defaultFreeCamera(model, self._camera)

    def pose(self, qpos: Array) -> _Lens:
        """Take the pose qpos (nq,) and tell where the camera is then."""
        self.data.qpos[:] = qpos
        mujoco.mj_forward(self.model, self.data)
        everything, camera = mujoco.mjtCatBit.mjCAT_ALL, self._camera
        mujoco.mjv_updateScene(
            self.model, self.data, self._option, None, camera, everything, self.scene
        )
        eyes = self.scene.camera  # a scene always has two of them, for stereo
        up, forward = np.array(eyes[0].up, float), np.array(eyes[0].forward, float)
        origin = np.mean([eye.pos for eye in eyes], axis=0, dtype=float)
        axes, near, far = np.stack([np.cross(forward, up), up, forward]), *_range(eyes[0])
        return _Lens(origin, axes, near, far, bool(eyes[0].orthographic))
