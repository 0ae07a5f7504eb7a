"""A quadruped follows `cmd_vel`: any robot with hip, thigh and calf joints, whose names are parameters."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.parameters.schema import parameter
from polo_ros.tasks import building, features
from polo_ros.tasks.actuators import to_position_servos
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.legs import Legs
from polo_ros.tasks.poses import add_standing_keyframe, keyframe_positions, limit_commands
from polo_ros.tasks.sources import ModelSource
from polo_ros.tasks.state import GAIT_CLOCK
from polo_ros.tasks.terms import Feature, RewardTerm, bounded
from polo_ros.tasks.view import View
from polo_ros.tasks.walker import BASE_FEATURES, HOME, Walker

# angles of the home pose where the model has none, in rad: those of Unitree's robots, each foot under its hip
HIP, THIGH, CALF = 0.0, 0.9, -1.8
# a trot of the feet front left, front right, rear left, rear right: diagonal pairs, half a cycle apart
TROT = (0.0, 0.5, 0.5, 0.0)
# the error at which a bounded reward term is one half
SPEED_SCALE, YAW_RATE_SCALE = 0.3, 0.5  # m/s, rad/s
FOOT_HEIGHT_SCALE, FOOTHOLD_SCALE = 0.03, 0.15  # m
HEIGHT_SCALE, TILT_SCALE, JOINT_SCALE = 0.1, 0.08, 0.5  # m, 1 - cosine, rad
# below this sum of a goal's numbers the feet stay on the ground
STANDING = 0.05
# the speed in m/s from which a robot that is to stand steps
PUSHED_SPEED = 0.25
# the places of feet that the reference trot can reach, from the home pose, as shares of the base's height
REACH = np.array([[-0.6, -0.4, -0.2], [0.6, 0.4, 0.5]])
# a state follows its goal while the velocity is off by less than this, in m/s, and the base is upright; goals
# that are slower do not tell walking from standing
FOLLOWING, UPRIGHT_COSINE = 0.15, 0.7


@dataclass(frozen=True)
class QuadrupedSetup:
    """The robot and its gait; the defaults are a Unitree Go2 and a trot at 2 Hz."""

    base: str = parameter("base", "Body of the trunk.", dynamic=False)
    feet: tuple[str, ...] = parameter(
        ("FL", "FR", "RL", "RR"),
        "Geoms, sites or bodies of the feet: front left, front right, rear left, rear right.",
        dynamic=False,
    )
    hips: str = parameter("*_hip_joint", "Pattern of the joints that move a leg sideways.", dynamic=False)
    thighs: str = parameter("*_thigh_joint", "Pattern of the joints that swing a leg.", dynamic=False)
    calves: str = parameter("*_calf_joint", "Pattern of the joints that bend a knee.", dynamic=False)
    reach: tuple[float, ...] = parameter(
        (0.4, 0.7, 0.8), "How far commands of hips, thighs and calves may leave the home pose, in rad.",
        low=0.01, high=3.0, dynamic=False,
    )  # fmt: skip
    kp: float = parameter(60.0, "Stiffness of the servos, in N·m/rad.", low=1.0, high=500.0, dynamic=False)
    kd: float = parameter(2.0, "Damping of the servos, in N·m·s/rad.", low=0.0, high=50.0, dynamic=False)
    effort: tuple[float, ...] = parameter(
        (), "Largest efforts of hips, thighs and calves in N·m; empty for those of the model.",
        low=0.0, high=1000.0, dynamic=False,
    )  # fmt: skip
    crouch: float = parameter(
        0.02, "How far below the home pose the base is held, in m.", low=0.0, high=0.2, dynamic=False
    )
    timestep: float = parameter(0.02, "Physics timestep, in s.", low=0.001, high=0.02, dynamic=False)
    simple_contacts: bool = parameter(
        True, "Whether only feet touch, with pyramidal cones and impratio 1, which saves most of the time.",
        dynamic=False,
    )  # fmt: skip
    gait_period: float = parameter(0.4, "Duration of a cycle, in s.", low=0.2, high=2.0, dynamic=False)
    gait_duty: float = parameter(
        0.6, "Share of the cycle for which a foot stands.", low=0.3, high=0.9, dynamic=False
    )
    gait_height: float = parameter(0.09, "Height of a swinging foot, in m.", low=0.0, high=0.2, dynamic=False)
    stride_gain: float = parameter(
        0.5, "Share of the missing velocity that is added to the stride.", low=0.0, high=2.0, dynamic=False
    )
    foothold_gain: float = parameter(
        0.2, "How far ahead feet are put for each m/s of excess, in s.", low=0.0, high=0.5, dynamic=False
    )
    excess_limit: float = parameter(
        0.15, "Largest excess velocity that strides and footholds correct, in m/s.", low=0.0, high=5.0,
        dynamic=False,
    )  # fmt: skip
    reference: bool = parameter(
        True, "Whether plans are deviations from a trot by the legs' kinematics.", dynamic=False
    )


@dataclass(frozen=True)
class HomePose:
    """Height of the base in m, and places of the feet from it (feet, 2) in m."""

    height: float
    feet: Array


class QuadrupedWalk(Walker):
    """Follows a velocity goal by the gait clock of a trot; stands where the goal is zero.

    Commands are joint positions around the keyframe `home`, which `build` makes where the model has none.
    Each reward term lies between 0 and 1.
    """

    name: ClassVar[str] = "quadruped_walk"
    summary: ClassVar[str] = "A quadruped, by default a Unitree Go2, walks where cmd_vel says."
    model_source: ClassVar[ModelSource] = "go2_mj_description"
    setup_type: ClassVar[type[QuadrupedSetup]] = QuadrupedSetup
    setup: QuadrupedSetup
    goal_period: ClassVar[int] = 150
    fastest: ClassVar[tuple[float, float, float]] = (0.5, 0.3, 0.5)
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("velocity", -2.0, -5.0, 0.0, "Error of the velocity over the ground; half at 0.3 m/s."),
        RewardTerm("turn", -1.0, -5.0, 0.0, "Error of the yaw rate; half at 0.5 rad/s."),
        RewardTerm("gait", -1.0, -5.0, 0.0, "Errors of the feet's heights, their mean; half at 3 cm."),
        RewardTerm("foothold", -1.0, -5.0, 0.0, "Errors of the feet's places, their mean; half at 15 cm."),
        RewardTerm("height", -2.0, -5.0, 0.0, "Error of the base's height; half at 10 cm."),
        RewardTerm("upright", -1.0, -5.0, 0.0, "Tilt of the base; half at 23 degrees."),
        RewardTerm(
            "posture", -0.3, -5.0, 0.0, "Joint angles off the home pose, their mean; half at 0.5 rad."
        ),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        *BASE_FEATURES,
        Feature("joint positions", 12, "rad"),
        Feature("joint velocities", 12, "rad/s"),
        Feature("heights of the feet", 4, "m"),
        Feature("sine and cosine of the gait's cycle", 2, "1"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        """Floor, servos, sensors, velocity goal, home pose and the contacts that are simulated."""
        setup = self.setup
        legs = (setup.hips, setup.thighs, setup.calves)
        effort = dict(zip(legs, setup.effort, strict=True)) if setup.effort else None
        building.add_floor(spec)
        to_position_servos(spec, setup.kp, setup.kd, effort, legs)
        if HOME not in [key.name for key in spec.keys]:
            stance = dict(zip(legs, (HIP, THIGH, CALF), strict=True))
            add_standing_keyframe(spec, HOME, stance, setup.feet)
        home = keyframe_positions(spec, HOME)
        for pattern, reach in zip(legs, setup.reach, strict=True):
            limit_commands(spec, pattern, home, reach)
        self.add_sensors(spec, legs, setup.feet)
        self.gait = Gait(setup.gait_period, setup.gait_duty, TROT, setup.gait_height)
        self.has_reference = setup.reference
        spec.option.timestep = setup.timestep
        if setup.simple_contacts:
            building.collide_only(spec, setup.feet)
            spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_PYRAMIDAL, 1.0

    @cached_property
    def _pose(self) -> HomePose:
        """Where base, feet and joints are in the home pose."""
        data = mujoco.MjData(self.model)
        mujoco.mj_resetDataKeyframe(self.model, data, self.home_keyframe())
        mujoco.mj_forward(self.model, data)
        base = data.sensor(f"{self.setup.base}_position").data
        feet = np.array([data.sensor(f"{foot}_foot_position").data for foot in self.setup.feet])
        return HomePose(float(base[2] - feet[:, 2].min()) - self.setup.crouch, feet[:, :2] - base[:2])

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The terms of the reward, each (...), 0 to 1."""
        base, feet = self.setup.base, self.setup.feet
        error = self.velocity_error(view)
        raised = self.gait.foot_heights(view) * self._walks(view)
        angles = features.joint_positions(view, self._joints)
        return {
            "velocity": bounded(np.hypot(error[..., 0], error[..., 1]), SPEED_SCALE),
            "turn": bounded(error[..., 2], YAW_RATE_SCALE),
            "gait": bounded(features.foot_heights(view, feet) - raised, FOOT_HEIGHT_SCALE).mean(axis=-1),
            "foothold": bounded(self._foothold_errors(view), FOOTHOLD_SCALE).mean(axis=-1),
            "height": bounded(features.position(view, base)[..., 2] - self._pose.height, HEIGHT_SCALE),
            "upright": bounded(1.0 - self._upright(view), TILT_SCALE),
            "posture": bounded(angles - self.home_angles, JOINT_SCALE).mean(axis=-1),
        }

    def _walks(self, view: View) -> Mask:
        """Whether the goal is more than to stand, (..., 1)."""
        walks: Mask = np.abs(features.velocity_goal(view)).sum(axis=-1, keepdims=True) > STANDING
        return walks

    def _upright(self, view: View) -> Array:
        """The cosine of the base's tilt, (...)."""
        return -features.projected_gravity(view, self.setup.base)[..., 2]

    def _foothold_errors(self, view: View) -> Array:
        """How far each foot is from its place under the moving base, (..., feet), in m."""
        base, feet = self.setup.base, self.setup.feet
        offset = features.foot_positions(view, feet)[..., :2] - features.position(view, base)[..., None, :2]
        yaw = features.heading(view, base)[..., None]
        ahead, left = features.along_heading(offset[..., 0], offset[..., 1], yaw)
        steps = self.gait.strides_at(self.gait.phases(view))[..., None] * self._hip_velocities(
            features.velocity_goal(view)
        )
        errors: Array = np.hypot(
            ahead - self._pose.feet[:, 0] - steps[..., 0], left - self._pose.feet[:, 1] - steps[..., 1]
        )
        return errors

    def _hip_velocities(self, velocity: Array) -> Array:
        """The velocity over the ground of the trunk above each foot, (..., feet, 2), in m/s.

        Args:
          velocity: (..., 3), of the base: ahead and left in m/s, yaw rate in rad/s.
        """
        ahead, left, yaw_rate = np.moveaxis(velocity[..., None, :], -1, 0)
        feet = self._pose.feet
        return np.stack([ahead - yaw_rate * feet[:, 1], left + yaw_rate * feet[:, 0]], axis=-1)

    @cached_property
    def _legs(self) -> Legs:
        """The inverse kinematics of the legs around the home pose."""
        reach = REACH * self._pose.height
        return Legs(self.model, self.home_positions, self.setup.feet, reach[0], reach[1])

    def reference_controls(self, states: Array, times: Array) -> Array:
        """The trot of the gait clock, (P, n, nu): what the planner's deviations are added to.

        Feet that stand move back under the trunk at the velocity goal, feet that swing return to where they
        touch down next (`Gait.strides_at`). What the velocity lacks is added to the stride, and the feet are
        put down further in the direction in which the robot is too fast (Raibert 1986). Both are limited: a
        goal that jumps, or a push, would ask for steps that the legs cannot make.
        """
        view = self.observe(states)
        goal, velocity = features.velocity_goal(view), features.heading_velocity(view, self.setup.base)
        excess = self._hip_velocities(velocity - goal)[:, None]
        size = np.linalg.norm(excess, axis=-1, keepdims=True)
        excess *= np.minimum(1.0, self.setup.excess_limit / np.maximum(size, 1e-9))
        clock = view.sensor(GAIT_CLOCK) + times
        phases = self.gait.phases_at(clock)
        strides = self.gait.strides_at(phases)[..., None]
        stride = strides * (self._hip_velocities(goal)[:, None] - self.setup.stride_gain * excess)
        offsets = np.empty((*phases.shape, 3))
        offsets[..., :2] = stride + self.setup.foothold_gain * excess
        offsets[..., 2] = self.gait.heights_at(phases)
        # a robot that is to stand, and does, keeps its feet where they are
        moves = self._walks(view)[:, 0] | (np.hypot(velocity[:, 0], velocity[:, 1]) > PUSHED_SPEED)
        offsets *= moves[:, None, None, None]
        offsets[..., 2] += self.setup.crouch
        return self._legs.controls(offsets, self.neutral)

    def value_features(self, view: View) -> Array:
        """Base, velocity goal, joints, feet and gait, (..., 43)."""
        return np.concatenate(
            [
                *self.base_features(view),
                features.joint_positions(view, self._joints),
                features.joint_velocities(view, self._joints),
                features.foot_heights(view, self.setup.feet),
                self.gait.features(view),
            ],
            axis=-1,
        )

    def achieved(self, view: View) -> Mask:
        """Whether it walks, upright, as its goal says; never where the goal is slower than 0.15 m/s."""
        following: Mask = (self.measured(view) < FOLLOWING) & (self._upright(view) > UPRIGHT_COSINE)
        fast: Mask = np.linalg.norm(features.velocity_goal(view)[..., :2], axis=-1) > FOLLOWING
        return following & fast
