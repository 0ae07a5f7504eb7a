"""The scene of the page: the robot, its goal, the planner's rollouts and the state that its plan ends in."""

import copy
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import trimesh
import viser
from mjviser import ViserMujocoScene
from mjviser.conversions import create_primitive_mesh

from polo_ros.arrays import Array
from polo_ros.tasks.goals import POSE
from polo_ros.tasks.rotations import rotation_matrix
from polo_ros.tasks.state import set_state
from polo_ros.tasks.task import Task
from polo_ros.viewer.camera import VISIBLE_GROUPS, floating_base, viewpoint
from polo_ros.viewer.lighter import lighter
from polo_ros.viewer.pushing import Pushing

# what belongs to the world and moves with it where the camera follows the robot
WORLD = "/world"
CANDIDATE_WIDTH = 0.004  # m
BEST_WIDTH = 0.014
BEST_COLOUR = (255, 160, 0)
GHOST_COLOUR = (40, 170, 120)
GHOST_OPACITY = 0.3
# lights beside viser's own, which leave the lower sides of bodies black: where they come from, and how strong
LIGHTS = {
    "left": ((-1.0, 1.0, -0.4), 1.2),
    "right": ((1.0, -1.0, -0.4), 1.2),
    "front": ((-0.3, -1.0, 0.6), 1.0),
}
GHOST_TRIANGLES = 3000  # of a body at most: a browser without a GPU takes seconds for a manufacturer's meshes
HIDDEN = -100.0  # m; where the ghost is until there is a plan
ASPECT = 0.9  # width over height between the panels, for the first view
Colours = Array
MoveGoal = Callable[[Array, Array], None]


class RobotView:
    """Draws a model in the states that it is given; nothing is simulated.

    Args:
      server: of the page.
      task: whose model is drawn.
      start: the flat state (state_size,) that is drawn before any other, and chooses the first view.
      move_goal: called with position (3,) and quaternion (4,) wxyz where a user drags the goal.

    Attributes:
      data: the state that is shown, kinematics included.
      pushing: turns drags of a body into forces.
    """

    def __init__(self, server: viser.ViserServer, task: Task, start: Array, move_goal: MoveGoal) -> None:
        self._server = server
        self._model = task.model
        self.data = mujoco.MjData(task.model)
        unflushed: Any = _Unflushed(server)
        # it writes colours and sizes of its own into the model
        self._scene = ViserMujocoScene(unflushed, copy.copy(task.model), 1)
        self._scene.camera_tracking_enabled = floating_base(task.model) is not None
        self._add_lights()
        self._world = server.scene.add_frame(WORLD, show_axes=False)
        self._candidates = self._add_lines("candidates", CANDIDATE_WIDTH)
        self._best = self._add_lines("best", BEST_WIDTH)
        self._ghost = self._add_ghost()
        self._ghost_data = mujoco.MjData(task.model)
        has_goal = POSE in task.goals.kinds
        self._goal_index = task.goals.index(POSE) if has_goal else 0
        self._goal = self._add_goal(move_goal) if has_goal else None
        self._dragged = False
        self.pushing = Pushing(server, task.model, self.data, WORLD)
        self.show(start)
        view = viewpoint(task.model, start, ASPECT)
        camera, offset = server.initial_camera, self.offset
        camera.position, camera.look_at = view.position + offset, view.look_at + offset
        camera.fov = view.field_of_view

    @property
    def offset(self) -> Array:
        """What is added to positions in the world, (3,) in m, so that the camera follows the robot."""
        return np.asarray(self._scene.fixed_bodies_frame.position)

    def add_switches(self) -> None:
        """Add switches of what is drawn to the panel that is being filled."""
        gui, scene = self._server.gui, self._scene
        follows = gui.add_checkbox("Camera follows the robot", scene.camera_tracking_enabled)
        rollouts = gui.add_checkbox("Rollouts", True)
        ghost = gui.add_checkbox("Where the plan ends", bool(self._ghost))
        shadows = gui.add_checkbox("Shadows", True, hint="without a GPU they slow the browser down")
        points = gui.add_checkbox("Contact points", False)
        forces = gui.add_checkbox(
            "Contact forces", False, hint="of the model in this state, without controls"
        )

        def apply(_: object) -> None:
            scene.camera_tracking_enabled = follows.value
            scene.show_contact_points, scene.show_contact_forces = points.value, forces.value
            self._server.scene.configure_default_lights(cast_shadow=shadows.value)
            self._candidates.visible = self._best.visible = rollouts.value
            for handle in self._ghost.values():
                handle.visible = ghost.value
            scene.request_update()

        for switch in (follows, rollouts, ghost, shadows, points, forces):
            switch.on_update(apply)

    def show(self, state: Array) -> None:
        """Draw a flat state, (state_size,)."""
        model, data = self._model, self.data
        set_state(model, data, state)
        if self._scene.show_contact_points or self._scene.show_contact_forces:
            mujoco.mj_forward(model, data)
        else:
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
        with self._server.atomic():
            self._scene.update_from_mjdata(data)
            self._world.position = self.offset
            if self._goal is not None and not self._dragged:
                index = self._goal_index
                self._goal.position, self._goal.wxyz = data.mocap_pos[index], data.mocap_quat[index]
            self.pushing.follow(self.offset)

    def show_rollouts(self, paths: list[Array], colours: Colours, best: Array) -> None:
        """Draw rollouts.

        Args:
          paths: (n, 3) each, in m.
          colours: of each path, (paths, 3), red, green and blue from 0 to 255.
          best: path of the best rollout, (n, 3); empty for none.
        """
        with self._server.atomic():
            segments = [_segments(path) for path in paths]
            shades = [np.tile(c, (len(s), 2, 1)) for s, c in zip(segments, colours, strict=True)]
            self._draw(self._candidates, segments, shades)
            corners = _segments(best)
            self._draw(self._best, [corners], [np.tile(np.array(BEST_COLOUR), (len(corners), 2, 1))])

    def show_ghost(self, qpos: Array) -> None:
        """Draw where the plan ends, as a transparent robot; qpos is (nq,)."""
        data = self._ghost_data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        with self._server.atomic():
            for body, handle in self._ghost.items():
                handle.position, handle.wxyz = data.xpos[body].copy(), data.xquat[body].copy()

    def _draw(self, handle: viser.LineSegmentsHandle, segments: list[Array], colours: list[Array]) -> None:
        if segments and sum(map(len, segments)):
            handle.points = np.concatenate(segments).astype(np.float32)
            handle.colors = np.concatenate(colours).astype(np.uint8)
        else:  # viser draws no empty set of lines
            handle.points = np.zeros((1, 2, 3), np.float32)
            handle.colors = np.zeros((1, 2, 3), np.uint8)

    def _add_lights(self) -> None:
        """Light the bodies from all sides.

        mjviser lights them by a picture of surroundings, which a browser without a GPU prepares for seconds.
        """
        self._server.scene.configure_environment_map(hdri=None)
        for name, (position, intensity) in LIGHTS.items():
            self._server.scene.add_light_directional(
                f"/lights/{name}", intensity=intensity, cast_shadow=False, position=position
            )

    def _add_lines(self, name: str, width: float) -> viser.LineSegmentsHandle:
        nothing = np.zeros((1, 2, 3), np.float32)
        colours = np.zeros((1, 2, 3), np.uint8)
        return self._server.scene.add_line_segments(f"{WORLD}/{name}", nothing, colours, thickness=width)

    def _add_ghost(self) -> dict[int, viser.MeshHandle]:
        """A transparent mesh for each body that moves and can be seen; none where the robot is one body."""
        model, found = self._model, {}
        moving = model.body_weldid[model.geom_bodyid] != 0
        moving &= model.body_mocapid[model.body_rootid[model.geom_bodyid]] < 0
        seen = moving & (model.geom_group < VISIBLE_GROUPS) & (model.geom_rgba[:, 3] > 0)
        for body in np.unique(model.geom_bodyid[seen]):
            geoms = np.flatnonzero(seen & (model.geom_bodyid == body)).tolist()
            shape: Any = trimesh.util.concatenate([surface(model, geom) for geom in geoms])
            corners, faces = lighter(np.asarray(shape.vertices), np.asarray(shape.faces), GHOST_TRIANGLES)
            found[int(body)] = self._server.scene.add_mesh_simple(
                f"{WORLD}/ghost/{body}", corners, faces,
                color=GHOST_COLOUR, opacity=GHOST_OPACITY, cast_shadow=False, receive_shadow=False,
                position=(0.0, 0.0, HIDDEN),
            )  # fmt: skip
        return found

    def _add_goal(self, move: MoveGoal) -> viser.TransformControlsHandle:
        size = float(self._model.stat.meansize)
        gizmo = self._server.scene.add_transform_controls(f"{WORLD}/goal", scale=size, depth_test=False)

        @gizmo.on_update
        def _(event: viser.TransformControlsEvent) -> None:
            self._dragged = event.phase != "end"
            move(np.array(gizmo.position), np.array(gizmo.wxyz))

        return gizmo


class _Unflushed:
    """A server whose pictures are sent when they are whole; mjviser would wake its thread in the middle."""

    def __init__(self, server: viser.ViserServer) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def flush(self) -> None:
        """The end of `atomic` sends the picture."""


def surface(model: mujoco.MjModel, geom: int) -> trimesh.Trimesh:
    """The surface of a geom in its body's frame, without the colours whose conversion takes seconds."""
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.mesh(int(model.geom_dataid[geom]))
        corners = slice(mesh.vertadr[0], mesh.vertadr[0] + mesh.vertnum[0])
        triangles = slice(mesh.faceadr[0], mesh.faceadr[0] + mesh.facenum[0])
        shape = trimesh.Trimesh(model.mesh_vert[corners], model.mesh_face[triangles], process=False)
    else:
        shape = create_primitive_mesh(model, geom)
    pose = np.eye(4)
    pose[:3, :3] = rotation_matrix(model.geom_quat[geom])
    pose[:3, 3] = model.geom_pos[geom]
    return shape.apply_transform(pose)


def _segments(path: Array) -> Array:
    """The segments of a path (n, 3) as pairs of corners, (n - 1, 2, 3)."""
    return np.stack([path[:-1], path[1:]], axis=1) if len(path) > 1 else np.empty((0, 2, 3))
