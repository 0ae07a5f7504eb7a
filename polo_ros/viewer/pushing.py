"""Pushing a body with the mouse: a drag is a spring between the grabbed point and the pointer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
import viser
from mjviser.conversions import get_body_name

from polo_ros.arrays import Array
from polo_ros.tasks.model import STANDARD_GRAVITY

# as in MuJoCo's own viewer, a drag with this key held
KEY: Final = "cmd/ctrl"
# acceleration of the robot's whole mass per metre of the spring, in 1/s²
STIFFNESS = 60.0
# largest force, in multiples of the weight
MOST_WEIGHTS = 3.0
GROUPS = 6
COLOUR = (220, 30, 90)
WIDTH = 0.02
Push = Callable[[str, Array, Array], None]


@dataclass
class Grip:
    """A body that is held: its number, the grabbed point in its frame (3,) and the pointer (3,), in m."""

    body: int
    local: Array
    pointer: Array


class Pushing:
    """Turns drags of a body into a force and a torque about its centre of mass, in the world's frame.

    Args:
      server: of the page; the robot's meshes are in its scene already.
      model: the robot's.
      data: the state that is shown.
      world: the frame in the scene in which the state's positions are given.

    Attributes:
      on_push: called with a body's name, force (3,) in N and torque (3,) in N·m with every picture during a
        drag, and once with zeros at its end. None where nothing can be pushed.
    """

    def __init__(
        self, server: viser.ViserServer, model: mujoco.MjModel, data: mujoco.MjData, world: str
    ) -> None:
        self.on_push: Push | None = None
        self._server = server
        self._model = model
        self._data = data
        self._lock = threading.Lock()  # callbacks come from viser's threads
        self._events: list[viser.SceneNodeDragEvent[viser.BatchedGlbHandle]] = []
        self._grip: Grip | None = None
        nothing = np.zeros((1, 2, 3), np.float32)
        self._spring = server.scene.add_line_segments(f"{world}/push", nothing, COLOUR, thickness=WIDTH)
        self.handles = draggable(server, model)
        for handle in self.handles:
            handle.on_drag("left", modifier=KEY)(self._note)

    def _note(self, event: "viser.SceneNodeDragEvent[viser.BatchedGlbHandle]") -> None:
        with self._lock:
            if event.phase == "update" and self._events and self._events[-1].phase == "update":
                self._events[-1] = event
            else:
                self._events.append(event)

    def follow(self, offset: Array) -> None:
        """Push with what the mouse has done since the last picture.

        Args:
          offset: from positions in the world to those in the scene, (3,) in m.
        """
        with self._lock:
            events, self._events = self._events, []
        if self.on_push is None:
            self._grip = None
            return
        for event in events:
            pointer = np.array(event.end_position) - offset
            if event.phase == "start":
                eye = np.array(event.client.camera.position) - offset
                self._grip = self._grab(eye, np.array(event.start_position) - offset, pointer)
            elif event.phase == "end":
                self._let_go()
            elif self._grip is not None:
                self._grip.pointer = pointer
        if self._grip is not None:
            self._pull(self._grip)

    def _grab(self, eye: Array, point: Array, pointer: Array) -> Grip | None:
        """Which body a user who looks from `eye` sees at `point`."""
        model, data, geom = self._model, self._data, np.array([-1], np.int32)
        mujoco.mj_ray(model, data, eye, point - eye, None, 0, -1, geom, None)
        if geom[0] < 0:
            return None
        body = int(model.geom_bodyid[geom[0]])
        local = data.xmat[body].reshape(3, 3).T @ (point - data.xpos[body])
        return Grip(body, local, pointer)

    def _pull(self, grip: Grip) -> None:
        assert self.on_push is not None
        data, mass = self._data, float(self._model.body_subtreemass[self._model.body_rootid[grip.body]])
        held = data.xpos[grip.body] + data.xmat[grip.body].reshape(3, 3) @ grip.local
        force = spring_force(held, grip.pointer, mass)
        self._spring.points = np.stack([held, grip.pointer])[None].astype(np.float32)
        torque = np.cross(held - data.xipos[grip.body], force)
        self.on_push(self._model.body(grip.body).name, force, torque)

    def _let_go(self) -> None:
        if self._grip is not None and self.on_push is not None:
            self.on_push(self._model.body(self._grip.body).name, np.zeros(3), np.zeros(3))
        self._grip = None
        self._spring.points = np.zeros((1, 2, 3), np.float32)


def spring_force(held: Array, pointer: Array, mass: float) -> Array:
    """The force (3,) in N on a robot of a mass in kg that is pulled from one point to another, in m."""
    force: Array = STIFFNESS * mass * (pointer - held)
    most = MOST_WEIGHTS * mass * STANDARD_GRAVITY
    return force * min(1.0, most / max(float(np.linalg.norm(force)), 1e-9))


def draggable(server: viser.ViserServer, model: mujoco.MjModel) -> list[viser.BatchedGlbHandle]:
    """The meshes of moving bodies, by the names that mjviser gives them in the scene.

    Goals are not among them: they are dragged without a key, and a mesh that takes drags would cover theirs.
    """
    found = []
    for body in np.flatnonzero(model.body_mocapid[model.body_rootid] < 0).tolist():
        for group in range(GROUPS):
            name = f"/bodies/{get_body_name(model, body)}/group{group}"
            for part in range(model.ngeom):
                handle = server.scene.get_handle_by_name(f"{name}/sub{part}" if part else name)
                if not isinstance(handle, viser.BatchedGlbHandle):
                    break
                found.append(handle)
    return found
