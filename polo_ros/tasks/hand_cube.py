"""Hand and cube (paper, appendix B): turn a cube in the palm to orientations that keep changing."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.rotations import angle_between, conjugate, multiply, random_rotation, two_axes
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

JOINTS = (
    "WRJ1", "WRJ0", "FFJ3", "FFJ2", "FFJ1", "FFJ0", "MFJ3", "MFJ2", "MFJ1", "MFJ0", "RFJ3", "RFJ2",
    "RFJ1", "RFJ0", "LFJ4", "LFJ3", "LFJ2", "LFJ1", "LFJ0", "THJ4", "THJ3", "THJ2", "THJ1", "THJ0",
)  # fmt: skip
FINGERS = ("forefinger", "middle_finger", "ring_finger", "little_finger", "thumb")
# largest difference between cube and goal at which the task is achieved, in rad and m
ORIENTATION_TOLERANCE = 0.4
POSITION_TOLERANCE = 0.06
# for a start the cube is dropped from this height above its resting place, in m, and settles so long, in s
DROP_HEIGHT = 0.01
SETTLE_TIME = 1.0
# largest deviation of each joint angle from the cradling pose before the cube settles, in rad
START_NOISE = 0.02


class HandCube(Task):
    """Turn the cube in the palm to the orientation of the goal.

    The position of the goal is fixed. Its orientation is drawn uniformly from all rotations, anew every 75
    control periods; the planner's model keeps it constant. The paper does not say how its goals are drawn.
    A new goal is 2.2 rad from the cube's orientation on average; one in 300 is within 0.4 rad.
    """

    name: ClassVar[str] = "hand_cube"
    summary: ClassVar[str] = "A five-fingered hand turns a cube to orientations that keep changing."
    model_source: ClassVar[str] = "hand.xml"
    trace_sensor: ClassVar[str] = "cube_position"
    hold_time: ClassVar[float] = 0.1
    substeps: ClassVar[int] = 2
    goal_period: ClassVar[int] = 75
    measure: ClassVar[Measure] = Measure("orientation error", "rad")
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("position", -0.5, -5.0, 0.0, "l1 distance between cube and goal, in m (B)."),
        RewardTerm("orientation", -0.05, -0.5, 0.0, "Angle of the turn from cube to goal, in rad (B)."),
        RewardTerm("strayed", 0.0, -10.0, 0.0, "Distance from the goal past 0.06 m, in m; not the paper's."),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("cube's place from the goal's, in the world", 3, "m"),
        Feature("x and y axes of the turn from goal to cube, in the world", 6, "1"),
        Feature("cube's x and y axes in the world", 6, "1"),
        Feature("cube's linear velocity in the world", 3, "m/s"),
        Feature("cube's angular velocity in the world", 3, "rad/s"),
        Feature("joint angles, in the actuators' order", 24, "rad"),
        Feature("fingertips' places from the cube's, in the world", 15, "m"),
    )

    @property
    def neutral(self) -> Array:
        """The control that holds the cradling hand, (24,), in rad."""
        return np.array(self.model.key("cradle").ctrl)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The l1 distance and angle of eq. (8), and the distance beyond 0.06 m, each (...)."""
        return {
            "position": np.abs(offset(view)).sum(axis=-1),
            "orientation": self.measured(view),
            "strayed": np.maximum(distance(view) - POSITION_TOLERANCE, 0.0),
        }

    def value_features(self, view: View) -> Array:
        """Poses of cube, goal and fingers and the velocity of the cube, (..., 60); see `features`."""
        cube, goal = view.sensor("cube_orientation"), view.sensor("goal_orientation")
        position = view.sensor("cube_position")
        return np.concatenate(
            [
                offset(view),
                two_axes(multiply(cube, conjugate(goal))),
                two_axes(cube),
                view.sensor("cube_linear_velocity"),
                view.sensor("cube_angular_velocity"),
                *(view.sensor(joint) for joint in JOINTS),
                *(view.sensor(f"{finger}_tip") - position for finger in FINGERS),
            ],
            axis=-1,
        )

    def measured(self, view: View) -> Array:
        """The angle between cube and goal, 0 to π."""
        return angle_between(view.sensor("cube_orientation"), view.sensor("goal_orientation"))

    def achieved(self, view: View) -> Mask:
        """Whether the cube lies within 0.06 m and 0.4 rad of the goal."""
        near: Mask = distance(view) < POSITION_TOLERANCE
        aligned: Mask = self.measured(view) < ORIENTATION_TOLERANCE
        return near & aligned

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """At rest, the cube settled in the cradling hand after a fall at a random orientation."""
        model = self.model
        mujoco.mj_resetDataKeyframe(model, data, model.key("cradle").id)
        for joint in JOINTS:
            data.joint(joint).qpos += rng.uniform(-START_NOISE, START_NOISE)
        cube = data.joint("cube").qpos
        cube[2] += DROP_HEIGHT
        cube[3:] = random_rotation(rng)
        mujoco.mj_step(model, data, round(SETTLE_TIME / model.opt.timestep))
        settled = data.qpos.copy()
        mujoco.mj_resetData(model, data)
        data.qpos[:] = settled
        self.draw_goal(data, rng)

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Draw the orientation of the goal uniformly; its position stays."""
        data.mocap_quat[0] = random_rotation(rng)


def offset(view: View) -> Array:
    """The position of the cube relative to the goal, (..., 3), in m."""
    difference: Array = view.sensor("cube_position") - view.sensor("goal_position")
    return difference


def distance(view: View) -> Array:
    """The length of `offset`, (...), in m."""
    length: Array = np.linalg.norm(offset(view), axis=-1)
    return length
