"""An arm with 6 or 7 joints moves its tool to a pose, past an obstacle; by default an I2RT YAM."""

from functools import cached_property
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.tasks import building, features
from polo_ros.tasks.arm_kinematics import ArmKinematics, ToolPose
from polo_ros.tasks.arm_model import (
    HOME,
    OBSTACLE,
    add_contact_sensors,
    add_home,
    add_obstacle,
    add_servos,
    arm_joints,
    fix_other_joints,
    show_everything,
)
from polo_ros.tasks.arm_reference import ArmReference
from polo_ros.tasks.arm_setup import ArmSetup, check_setup, each
from polo_ros.tasks.goals import POSE
from polo_ros.tasks.rotations import angle_between, conjugate, multiply, two_axes
from polo_ros.tasks.sources import ModelSource
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm, bounded
from polo_ros.tasks.view import View

# the errors at which halves of a bounded reward term are one half: far from the goal and near it
FAR, NEAR = 0.2, 0.02  # m
FAR_ANGLE, NEAR_ANGLE = 0.5, 0.1  # rad
# the share of the speed limit that costs nothing, and how far beyond it the cost is one half
FREE_SPEED, SPEED_SCALE = 0.9, 0.1
# the speed, as a share of the limit, at which being at the goal without resting costs one half
RESTING = 0.1
# largest errors of a tool at its goal, in m and rad
POSITION_TOLERANCE, ANGLE_TOLERANCE = 0.01, np.radians(3.0)
# how many joint positions are drawn for a goal, and the share of their ranges in which they are
TRIES, INNER = 1000, 0.9


class ArmReach(Task):
    """Moves the tool to the pose goal, keeps away from the obstacle, and stays there.

    Commands are joint positions, whose rates are limited. Goals are poses of the tool at random joint
    positions that touch nothing. Each reward term lies between 0 and 1.

    Attributes:
      limits: the joints' speed limits, in the order of the actuators, (nu,), in rad/s or m/s.
    """

    name: ClassVar[str] = "arm_reach"
    summary: ClassVar[str] = (
        "An arm, by default an I2RT YAM, moves its tool to a pose and touches no obstacle."
    )
    model_source: ClassVar[ModelSource] = "yam_mj_description"
    home: ClassVar[str] = HOME
    start_noise: ClassVar[float] = 0.02
    setup_type: ClassVar[type[ArmSetup]] = ArmSetup
    setup: ArmSetup
    trace_sensor: ClassVar[str] = "path"
    measure: ClassVar[Measure] = Measure("position error", "m")
    hold_time: ClassVar[float] = 1.0
    goal_period: ClassVar[int] = 500
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("position", -2.0, -5.0, 0.0, "Distance from the goal; mean of halves at 20 cm and 2 cm."),
        RewardTerm("orientation", -1.0, -5.0, 0.0, "Turn from the goal; mean of halves at 29 and 6 degrees."),
        RewardTerm(
            "obstacle", -5.0, -10.0, 0.0, "Nearness of the obstacle: 0 at setup.clearance, 1 in touch."
        ),
        RewardTerm("touch", -2.0, -10.0, 0.0, "Whether the arm touches itself or the world."),
        RewardTerm(
            "speed", -1.0, -5.0, 0.0, "Speed of the fastest joint, past 90 % of its limit; half at it."
        ),
        RewardTerm("rest", -0.5, -5.0, 0.0, "Speeds near the goal; half at a tenth of the limits."),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("way from tool to goal", 3, "m"),
        Feature("x and y axes of the turn from goal to tool, in the world", 6, "1"),
        Feature("distance from the obstacle, up to setup.clearance", 1, "m"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        """Floor, servos, goal, obstacle, sensors and home pose; joints that are not the arm's are fixed."""
        setup, kinds = self.setup, mujoco.mjtObj
        check_setup(setup)
        joints = arm_joints(spec, setup)
        tools = (*spec.sites, *spec.bodies)
        building.require("tool (site or body)", setup.tool, (one.name for one in tools))
        fix_other_joints(spec, joints)
        building.add_floor(spec)
        add_servos(spec, setup, joints)
        add_home(spec, setup, joints)
        building.add_pose_goal(spec, (0.0, 0.0, 0.0))
        if setup.obstacle:
            add_obstacle(spec, setup)
        building.add_joint_sensors(spec, joints)
        is_site = spec.site(setup.tool) is not None
        (building.add_site_sensors if is_site else building.add_frame_sensors)(spec, setup.tool)
        spec.add_sensor(
            name=self.trace_sensor,
            type=mujoco.mjtSensor.mjSENS_FRAMEPOS,
            objtype=kinds.mjOBJ_SITE if is_site else kinds.mjOBJ_XBODY,
            objname=setup.tool,
        )
        add_contact_sensors(spec, setup, joints[0])
        show_everything(spec)
        self._joints = [actuator.target for actuator in spec.actuators]
        limits = each(setup.velocity, joints, "velocity")
        self.limits = np.array([limits[joint] for joint in self._joints])
        self.has_reference = setup.reference
        spec.option.timestep = setup.timestep

    def listed_features(self) -> tuple[Feature, ...]:
        """What the entries of `value_features` are: two for each joint, and `features`."""
        count = len(self._joints)
        joints = (Feature("joint positions", count, "rad"), Feature("joint velocities", count, "rad/s"))
        return joints + self.features

    @property
    def rate_limits(self) -> Array:
        """The joints' speed limits, in the unit of their commands, (nu,)."""
        limits: Array = self.limits * np.abs(self.model.actuator_gear[:, 0])
        return limits

    @property
    def noise_scale(self) -> Array:
        """How far a command may move in 1 s, (nu,)."""
        return self.rate_limits

    @cached_property
    def _addresses(self) -> tuple[Array, Array]:
        """Where the positions and the velocities of the arm's joints are in a flat state, (nu,) each."""
        model, driven = self.model, self.model.actuator_trnid[:, 0]
        return np.array(model.jnt_qposadr[driven]), model.nq + np.array(model.jnt_dofadr[driven])

    @cached_property
    def _kinematics(self) -> ArmKinematics:
        home = self.model.key_qpos[self.home_keyframe()][self._addresses[0]]
        return ArmKinematics(self.model, self._joints, self.setup.tool, home)

    @cached_property
    def _reference(self) -> ArmReference:
        return ArmReference(self.model, self._kinematics, self.limits)

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """At rest in the home pose, with a goal."""
        super().start(data, rng)
        self.draw_goal(data, rng)

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """The pose of the tool at random joint positions that keep away from obstacle, floor and the arm.

        Raises:
          PoloError: none were found.
        """
        kinematics = self._kinematics
        middle, half = 0.5 * (kinematics.low + kinematics.high), 0.5 * (kinematics.high - kinematics.low)
        for _ in range(TRIES):
            angles = middle + INNER * half * rng.uniform(-1.0, 1.0, len(half))
            if kinematics.is_free(angles):
                pose = kinematics.pose(angles)
                self.goals.set_pose(data, pose.position, pose.quaternion)
                return
        raise PoloError(
            f"no reachable goal was found: in {TRIES} random joint positions the arm touches the obstacle, "
            f"the floor or itself"
        )

    def reference_controls(self, states: Array, times: Array) -> Array:
        """Commands along a free path to the goal, (P, n, nu): what the planner's deviations are added to."""
        position, quaternion = self.goals.position_entries(POSE), self.goals.quaternion_entries()
        angles, speeds = self._addresses
        controls = []
        for state, goal in zip(states, self.goal_of(states), strict=True):
            pose = ToolPose(goal[position], goal[quaternion])
            controls.append(self._reference.controls(pose, state[angles], state[speeds], times))
        return np.array(controls)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The terms of the reward, each (...), 0 to 1."""
        distance, angle = self.measured(view), self.angle(view)
        speeds = np.abs(features.joint_velocities(view, self._joints)) / self.limits
        clearance = self.setup.clearance
        nearness = np.clip(1.0 - self.obstacle_distance(view) / clearance, 0.0, 1.0)
        touches = [view.sensor(f"{one}_contact")[..., 0] > 0.0 for one in ("self", "world")]
        near = 1.0 - bounded(distance, 2.0 * NEAR)
        return {
            "position": 0.5 * (bounded(distance, FAR) + bounded(distance, NEAR)),
            "orientation": 0.5 * (bounded(angle, FAR_ANGLE) + bounded(angle, NEAR_ANGLE)),
            "obstacle": nearness**2,
            "touch": (touches[0] | touches[1]).astype(float),
            "speed": bounded(np.maximum(speeds - FREE_SPEED, 0.0), SPEED_SCALE).max(axis=-1),
            "rest": near * bounded(speeds, RESTING).mean(axis=-1),
        }

    def value_features(self, view: View) -> Array:
        """Joints, way and turn to the goal, distance from the obstacle, (..., 10 + 2 joints)."""
        tool = self.setup.tool
        turn = multiply(features.orientation(view, tool), conjugate(view.sensor("goal_orientation")))
        return np.concatenate(
            [
                features.joint_positions(view, self._joints),
                features.joint_velocities(view, self._joints),
                view.sensor("goal_position") - features.position(view, tool),
                two_axes(turn),
                self.obstacle_distance(view)[..., None],
            ],
            axis=-1,
        )

    def obstacle_distance(self, view: View) -> Array:
        """The arm's distance from the obstacle, (...), in m, up to `setup.clearance`; below zero in touch."""
        clearance = self.setup.clearance
        if not self.setup.obstacle:
            return np.full(view.sensordata.shape[:-1], clearance)
        found, distance = np.moveaxis(view.sensor(f"{OBSTACLE}_contact"), -1, 0)
        near: Array = np.where(found > 0.0, np.minimum(distance, clearance), clearance)
        return near

    def measured(self, view: View) -> Array:
        """The distance of the tool from the goal."""
        way = view.sensor("goal_position") - features.position(view, self.setup.tool)
        distance: Array = np.linalg.norm(way, axis=-1)
        return distance

    def angle(self, view: View) -> Array:
        """The angle of the turn from the tool to the goal, (...), in rad, 0 to π."""
        return angle_between(features.orientation(view, self.setup.tool), view.sensor("goal_orientation"))

    def achieved(self, view: View) -> Mask:
        """Whether the tool is within 1 cm and 3 degrees of the goal, and the arm off the obstacle."""
        there: Mask = (self.measured(view) < POSITION_TOLERANCE) & (self.angle(view) < ANGLE_TOLERANCE)
        clear: Mask = self.obstacle_distance(view) > 0.0
        return there & clear
