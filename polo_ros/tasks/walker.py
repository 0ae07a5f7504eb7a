"""What tasks of legged robots that follow `cmd_vel` share: sensors, start, goals, features of the base."""

from abc import ABC
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks import building, features
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure
from polo_ros.tasks.view import View

HOME = "home"
# of `Walker.base_features`
BASE_FEATURES = (
    Feature("height of the base", 1, "m"),
    Feature("gravity in the base's frame", 3, "1"),
    Feature("linear velocity in the base's frame", 3, "m/s"),
    Feature("angular velocity in the base's frame", 3, "rad/s"),
    Feature("velocity goal", 3, "m/s, rad/s"),
)


class Walker(Task, ABC):
    """A robot with a floating base, `setup.base`, and a velocity goal.

    It starts at rest in the keyframe `home`. `build` calls `add_sensors`, and sets `gait`.
    """

    home: ClassVar[str] = HOME
    start_noise: ClassVar[float] = 0.02
    trace_sensor: ClassVar[str] = "path"
    measure: ClassVar[Measure] = Measure("velocity error", "m/s")
    # goals are drawn up to these: ahead and to the left in m/s, yaw rate in rad/s
    fastest: ClassVar[tuple[float, float, float]]
    setup: Any
    gait: Gait

    def add_sensors(self, spec: mujoco.MjSpec, joints: Sequence[str], feet: Sequence[str]) -> None:
        """Sensors of joints (patterns), base and feet, the velocity goal, and the path that is drawn."""
        base = self.setup.base
        self._joints = building.add_joint_sensors(spec, joints)
        building.add_frame_sensors(spec, base)
        building.add_foot_contacts(spec, feet)
        building.add_velocity_goal(spec)
        spec.add_sensor(
            name=self.trace_sensor,
            type=mujoco.mjtSensor.mjSENS_FRAMEPOS,
            objtype=mujoco.mjtObj.mjOBJ_XBODY,
            objname=base,
        )

    @cached_property
    def home_positions(self) -> Array:
        """The home pose, (nq,)."""
        return np.array(self.model.key_qpos[self.home_keyframe()])

    @cached_property
    def home_angles(self) -> Array:
        """The angles of the joints that have sensors in the home pose, (joints,), in rad."""
        return np.array([self.home_positions[self.model.joint(name).qposadr[0]] for name in self._joints])

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """At rest in the home pose, with a velocity goal."""
        super().start(data, rng)
        self.draw_goal(data, rng)

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """A velocity up to `fastest` in either direction."""
        fastest = np.array(self.fastest)
        self.goals.set_velocity(data, rng.uniform(-fastest, fastest))

    def velocity_error(self, view: View) -> Array:
        """Velocity minus goal, (..., 3), in m/s and rad/s."""
        return features.heading_velocity(view, self.setup.base) - features.velocity_goal(view)

    def base_features(self, view: View) -> list[Array]:
        """What `BASE_FEATURES` lists, (..., size) each."""
        base = self.setup.base
        return [
            features.position(view, base)[..., 2:],
            features.projected_gravity(view, base),
            features.linear_velocity(view, base),
            features.angular_velocity(view, base),
            features.velocity_goal(view),
        ]

    def measured(self, view: View) -> Array:
        """The error of the velocity over the ground."""
        error: Array = np.linalg.norm(self.velocity_error(view)[..., :2], axis=-1)
        return error
