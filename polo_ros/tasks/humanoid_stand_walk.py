"""A humanoid robot with legs of six joints stands and follows `cmd_vel`; by default a Unitree G1."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks import building, features
from polo_ros.tasks.actuators import to_position_servos
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.humanoid_setup import HumanoidSetup, check_setup
from polo_ros.tasks.poses import add_standing_keyframe, keyframe_positions, limit_commands
from polo_ros.tasks.soles import sole_extents, touch_with_soles
from polo_ros.tasks.sources import ModelSource
from polo_ros.tasks.state import GAIT_CLOCK
from polo_ros.tasks.step_servos import StepServos
from polo_ros.tasks.stepping import Stance, Stepper, select
from polo_ros.tasks.terms import Feature, RewardTerm, bounded
from polo_ros.tasks.view import View
from polo_ros.tasks.walker import BASE_FEATURES, HOME, Walker

# bent knees: an extended leg cannot be shortened by its kinematics to first order; angles in rad
HIP_PITCH, KNEE, ANKLE_PITCH = -0.31, 0.67, -0.36
ARMS = {"*_elbow*": 0.6, "left_shoulder_roll*": 0.2, "right_shoulder_roll*": -0.2, "*_shoulder_pitch*": 0.2}
# the error at which a bounded reward term is one half
SPEED_SCALE, YAW_RATE_SCALE = 0.3, 0.5  # m/s, rad/s
CAPTURE_SCALE, FOOT_HEIGHT_SCALE, HEIGHT_SCALE = 0.1, 0.03, 0.1  # m
TILT_SCALE, JOINT_SCALE = 0.08, 0.5  # 1 - cosine, rad
# below this sum of a goal's numbers the feet stay on the ground
STANDING = 0.05
# a standing robot steps where its capture point is so far from the middle of its soles, ahead and aside in m,
# a foot is so high, in m, or the feet are so far from where they stand at home, in m
UNBALANCED, LIFTED, MISPLACED = np.array([0.07, 0.1]), 0.015, 0.08
# a step may begin up to this part of the gait's cycle, and with the capture point so far across, in m
BEGINNING, CROSSING = 0.2, 0.03
# a state follows its goal while the velocity is off by less than this, in m/s, and the base is upright
FOLLOWING, UPRIGHT_COSINE = 0.2, 0.8
# how far inside the soles the centre of pressure is kept, and how far steps reach: ahead, and at least and at
# most to the side, in m
SOLE_MARGIN = np.array([[0.015, 0.008], [-0.015, -0.008]])
REACH = (0.4, 0.14, 0.45)


class HumanoidStandWalk(Walker):
    """Stands where the velocity goal is zero, and walks after it by the gait clock.

    Commands are joint positions. Each reward term lies between 0 and 1.
    """

    name: ClassVar[str] = "humanoid_stand_walk"
    summary: ClassVar[str] = (
        "A humanoid, by default a Unitree G1, stands against pushes and walks where cmd_vel says."
    )
    model_source: ClassVar[ModelSource] = "g1_mj_description"
    setup_type: ClassVar[type[HumanoidSetup]] = HumanoidSetup
    setup: HumanoidSetup
    goal_period: ClassVar[int] = 200
    fastest: ClassVar[tuple[float, float, float]] = (0.4, 0.1, 0.3)
    substeps: ClassVar[int] = 2
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("velocity", -1.0, -5.0, 0.0, "Error of the velocity over the ground; half at 0.3 m/s."),
        RewardTerm("turn", -0.5, -5.0, 0.0, "Error of the yaw rate; half at 0.5 rad/s."),
        RewardTerm(
            "capture",
            -2.0,
            -5.0,
            0.0,
            "Capture point from where the feet and the goal want it; half at 10 cm.",
        ),
        RewardTerm("gait", -1.0, -5.0, 0.0, "Errors of the feet's heights, their mean; half at 3 cm."),
        RewardTerm("height", -2.0, -5.0, 0.0, "Error of the base's height; half at 10 cm."),
        RewardTerm("upright", -2.0, -5.0, 0.0, "Tilt of the base; half at 23 degrees."),
        RewardTerm("flat", -0.5, -5.0, 0.0, "Tilt of the feet, their mean; half at 23 degrees."),
        RewardTerm(
            "posture", -0.3, -5.0, 0.0, "Joint angles off the home pose, their mean; half at 0.5 rad."
        ),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        *BASE_FEATURES,
        Feature("capture point from the middle of the feet", 2, "m"),
        Feature("leg positions", 12, "rad"),
        Feature("leg velocities", 12, "rad/s"),
        Feature("heights of the feet", 2, "m"),
        Feature("sine and cosine of the gait's cycle", 2, "1"),
    )

    def build(self, spec: mujoco.MjSpec) -> None:
        """Floor, servos, sensors, velocity goal, home pose and the contacts that are simulated."""
        setup = self.setup
        check_setup(setup)
        patterns = [group.split("|") for group in setup.joints]
        everything = [one for group in patterns for one in group]

        def by_pattern(values: Sequence[float]) -> dict[str, float]:
            return {one: value for group, value in zip(patterns, values, strict=True) for one in group}

        extents = sole_extents(spec, setup.feet)
        self._sole = np.mean(extents, axis=0)
        # feet are the points of the soles below the ankles
        self._feet = [f"{foot}_sole" for foot in setup.feet]
        for foot, sole, extent in zip(setup.feet, self._feet, extents, strict=True):
            spec.body(foot).add_site(name=sole, pos=[0.0, 0.0, extent[0, 2]], group=building.HIDDEN_GROUP)
        building.add_floor(spec)
        armature = by_pattern(setup.armature)
        for joint in building.matching_joints(spec, everything):
            joint.armature = next(value for one, value in armature.items() if fnmatchcase(joint.name, one))
        to_position_servos(
            spec, by_pattern(setup.kp), by_pattern(setup.kd), by_pattern(setup.effort), everything
        )
        if HOME not in [key.name for key in spec.keys]:
            legs = {"*_hip_pitch*": HIP_PITCH, "*_knee*": KNEE, "*_ankle_pitch*": ANKLE_PITCH}
            add_standing_keyframe(spec, HOME, legs | ARMS, self._feet)
        home = keyframe_positions(spec, HOME)
        for pattern in setup.held:
            limit_commands(spec, pattern, home, 0.01)
        self.add_sensors(spec, everything, self._feet)
        body, moving = mujoco.mjtObj.mjOBJ_BODY, mujoco.mjtObj.mjOBJ_XBODY
        kinds = mujoco.mjtSensor
        spec.add_sensor(name="centre", type=kinds.mjSENS_SUBTREECOM, objtype=body, objname=setup.base)
        spec.add_sensor(
            name="centre_velocity", type=kinds.mjSENS_SUBTREELINVEL, objtype=body, objname=setup.base
        )
        for foot in setup.feet:
            spec.add_sensor(
                name=f"{foot}_orientation", type=kinds.mjSENS_FRAMEQUAT, objtype=moving, objname=foot
            )
        self.gait = Gait(setup.gait_period, setup.gait_duty, (0.0, 0.5), setup.gait_height)
        self.has_reference = setup.reference
        spec.option.timestep = setup.timestep
        if setup.simple_contacts:
            touch_with_soles(spec, setup.feet, extents)
            spec.option.cone, spec.option.impratio = mujoco.mjtCone.mjCONE_PYRAMIDAL, 1.0

    @cached_property
    def _servos(self) -> StepServos:
        """Turns predicted steps into controls."""
        return StepServos(self.model, self.home_positions, self.setup.base, self.setup.feet)

    @cached_property
    def _leg_joints(self) -> list[str]:
        """The names of the legs' joints, leg by leg."""
        return [self.model.joint(int(joint)).name for joint in self._servos.legs.joints.ravel()]

    @property
    def _height(self) -> float:
        """The wanted height of the base, in m."""
        return float(self.home_positions[2]) - self.setup.crouch

    @cached_property
    def _stepper(self) -> Stepper:
        """The footsteps of the gait."""
        setup = self.setup
        height = self._height + float(self._servos.centre[2])
        sole = self._sole[:, :2] + SOLE_MARGIN
        return Stepper(self.gait, height, setup.width, sole, REACH)

    @property
    def noise_scale(self) -> Array:
        """The angle at which a servo gives its largest effort, or half the range of its commands if less."""
        scale: Array = np.minimum(
            super().noise_scale, self.model.actuator_forcerange[:, 1] / self.model.actuator_gainprm[:, 0]
        )
        return scale

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The terms of the reward, each (...), 0 to 1."""
        setup = self.setup
        error, goal = self.velocity_error(view), features.velocity_goal(view)
        walks = np.abs(goal).sum(axis=-1, keepdims=True) > STANDING
        height = features.foot_heights(view, self._feet)
        raised = np.abs(height - self.gait.foot_heights(view))
        # a foot of a standing robot may step
        raised = np.where(walks, raised, np.minimum(raised, np.abs(height)))
        tilts = [self._tilt(view, foot) for foot in setup.feet]
        angles = features.joint_positions(view, self._joints)
        missing = self._capture_point(view) - goal[..., :2] / self._stepper.rate
        return {
            "velocity": bounded(np.hypot(error[..., 0], error[..., 1]), SPEED_SCALE),
            "turn": bounded(error[..., 2], YAW_RATE_SCALE),
            "capture": bounded(np.hypot(missing[..., 0], missing[..., 1]), CAPTURE_SCALE),
            "gait": bounded(raised, FOOT_HEIGHT_SCALE).mean(axis=-1),
            "height": bounded(features.position(view, setup.base)[..., 2] - self._height, HEIGHT_SCALE),
            "upright": bounded(self._tilt(view, setup.base), TILT_SCALE),
            "flat": bounded(np.stack(tilts, axis=-1), TILT_SCALE).mean(axis=-1),
            "posture": bounded(angles - self.home_angles, JOINT_SCALE).mean(axis=-1),
        }

    def _tilt(self, view: View, body: str) -> Array:
        """1 - cosine of a body's tilt, (...)."""
        tilt: Array = 1.0 + features.projected_gravity(view, body)[..., 2]
        return tilt

    def _level(self, view: View, vectors: Array) -> Array:
        """Horizontal vectors of the world, (..., 2) or (..., k, 2), ahead and to the left of the base."""
        yaw = features.heading(view, self.setup.base)
        if vectors.ndim > yaw.ndim + 1:
            yaw = yaw[..., None]
        return np.stack(features.along_heading(vectors[..., 0], vectors[..., 1], yaw), axis=-1)

    def _capture_point(self, view: View) -> Array:
        """The capture point from the middle of the soles, (..., 2), in m, ahead and to the left."""
        moved = view.sensor("centre") + view.sensor("centre_velocity") / self._stepper.rate
        feet = features.foot_positions(view, self._feet).mean(axis=-2)
        level = self._level(view, (moved - feet)[..., :2])
        level[..., 0] -= self._stepper.sole[:, 0].mean()
        return level

    def reference_controls(self, states: Array, times: Array) -> Array:
        """Predicted steps by the gait clock, (P, n, nu): what the planner's deviations are added to.

        See `polo_ros.tasks.stepping`. Commands put the soles where the steps want them under a level base;
        they lead by what the servos' springs and dampers lose to the robot's weight and to its motion.
        """
        view = self.observe(states)
        base = features.position(view, self.setup.base)[:, :2]
        soles = features.foot_positions(view, self._feet)[..., :2] - base[:, None]
        yaws = np.stack([features.heading(view, foot) for foot in self.setup.feet], axis=-1)
        turned = yaws - features.heading(view, self.setup.base)[:, None]
        stance = Stance(
            self._level(view, view.sensor("centre")[:, :2] - base),
            self._level(view, view.sensor("centre_velocity")[:, :2]),
            self._level(view, soles),
            np.mod(turned + np.pi, 2.0 * np.pi) - np.pi,
            features.velocity_goal(view),
            view.sensor(GAIT_CLOCK)[:, 0],
        )
        moves = self._must_step(view, stance)
        steps = self._stepper.stand(stance, times)
        if moves.any():
            walking = self._stepper.walk(stance, times)
            steps = select(moves, walking, steps)
        controls = self._servos.controls(steps, times, self._height, self.neutral)
        limited: Array = np.clip(controls, self.control_low, self.control_high)
        return limited

    def _must_step(self, view: View, stance: Stance) -> Mask:
        """Whether each state (P,) is one in which the robot should not keep its feet in place.

        A robot that stands begins a step early in the half of the gait's cycle that swings a foot on the side
        to which it falls: until then, the centre of pressure is better under both feet.
        """
        capture = self._capture_point(view)
        unbalanced = (np.abs(capture) > UNBALANCED).any(axis=-1)
        lifted = features.foot_heights(view, self._feet).max(axis=-1) > LIFTED
        apart = stance.feet[:, 0] - stance.feet[:, 1]
        at_home = self._servos.legs.places[0, :2] - self._servos.legs.places[1, :2]
        misplaced = (np.abs(apart - at_home) > MISPLACED).any(axis=-1)
        walks = np.abs(stance.goal).sum(axis=-1) > STANDING
        phase = np.mod(stance.clock / self.gait.period, 1.0)
        early = np.mod(phase, 0.5) < BEGINNING
        swinging = np.where(phase < 0.5, -1.0, 1.0)  # the right foot swings first
        helps = early & (swinging * capture[:, 1] > -CROSSING)
        moves: Mask = walks | lifted | ((unbalanced | misplaced) & helps)
        return moves

    def value_features(self, view: View) -> Array:
        """Base, velocity goal, balance, legs, feet and gait, (..., 43)."""
        return np.concatenate(
            [
                *self.base_features(view),
                self._capture_point(view),
                features.joint_positions(view, self._leg_joints),
                features.joint_velocities(view, self._leg_joints),
                features.foot_heights(view, self._feet),
                self.gait.features(view),
            ],
            axis=-1,
        )

    def achieved(self, view: View) -> Mask:
        """Whether it moves, or stands, upright, as its goal says."""
        upright = self._tilt(view, self.setup.base) < 1.0 - UPRIGHT_COSINE
        following: Mask = (self.measured(view) < FOLLOWING) & upright
        return following
