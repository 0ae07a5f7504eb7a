"""Hand and cube (paper, appendix B): turn a cube in the palm to orientations that keep changing."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import Feature, Measure, RewardTerm, Task, View

JOINTS = (
    "WRJ1", "WRJ0", "FFJ3", "FFJ2", "FFJ1", "FFJ0", "MFJ3", "MFJ2", "MFJ1", "MFJ0", "RFJ3", "RFJ2",
    "RFJ1", "RFJ0", "LFJ4", "LFJ3", "LFJ2", "LFJ1", "LFJ0", "THJ4", "THJ3", "THJ2", "THJ1", "THJ0",
)  # fmt: skip
FINGERS = ("forefinger", "middle_finger", "ring_finger", "little_finger", "thumb")
# what the task wants: less than this between cube and goal, in rad and m
ORIENTATION_TOLERANCE = 0.4
POSITION_TOLERANCE = 0.06
# a start lets the cube fall this far above where it rests, in m, and settle for so long, in s
DROP_HEIGHT = 0.01
SETTLE_TIME = 1.0
# joint angles of the start are drawn this far around the cradling pose before the cube settles, in rad
START_NOISE = 0.02


class HandCube(Task):
    """Turn the cube to the goal's orientation where it lay in the palm.

    The goal's place is fixed; its orientation is any rotation, all equally likely, and changes every 75
    control periods. The planner's model holds it still. The paper does not say how its goals are drawn.
    One in 300 is within 0.4 rad of the cube by luck; a goal is 2.2 rad away on average.
    """

    name: ClassVar[str] = "hand_cube"
    summary: ClassVar[str] = "A five-fingered hand turns a cube to orientations that keep changing."
    model_file: ClassVar[str] = "hand.xml"
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
        """The l1 distance and angle of eq. (8), and how far the cube left the palm, each (...)."""
        return {
            "position": np.abs(offset(view)).sum(axis=-1),
            "orientation": self.measured(view),
            "strayed": np.maximum(distance(view) - POSITION_TOLERANCE, 0.0),
        }

    def value_features(self, view: View) -> Array:
        """Where cube, goal and fingers are and how the cube moves, (..., 60); see `features`."""
        cube, goal = view.sensor("cube_orientation"), view.sensor("goal_orientation")
        position = view.sensor("cube_position")
        return np.concatenate(
            [
                offset(view),
                two_axes(quat_multiply(cube, quat_conjugate(goal))),
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
        return quat_angle(view.sensor("cube_orientation"), view.sensor("goal_orientation"))

    def achieved(self, view: View) -> Mask:
        """Whether the cube lies within 0.06 m and 0.4 rad of the goal."""
        near: Mask = distance(view) < POSITION_TOLERANCE
        aligned: Mask = self.measured(view) < ORIENTATION_TOLERANCE
        return near & aligned

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """At rest in the cradling hand, however the cube came to lie that fell in at any orientation."""
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
        """Turn the goal to any orientation, all equally likely; its place stays."""
        data.mocap_quat[0] = random_rotation(rng)


def offset(view: View) -> Array:
    """Where the cube is from the goal, (..., 3), in m."""
    difference: Array = view.sensor("cube_position") - view.sensor("goal_position")
    return difference


def distance(view: View) -> Array:
    """The length of `offset`, (...), in m."""
    length: Array = np.linalg.norm(offset(view), axis=-1)
    return length


def random_rotation(rng: np.random.Generator) -> Array:
    """A unit quaternion (4,), wxyz, uniform over all rotations."""
    quat = rng.standard_normal(4)
    unit: Array = quat / np.linalg.norm(quat)
    return unit


def quat_conjugate(quat: Array) -> Array:
    """The inverse of unit quaternions (..., 4), wxyz."""
    conjugate: Array = quat * np.array([1.0, -1.0, -1.0, -1.0])
    return conjugate


def quat_multiply(first: Array, second: Array) -> Array:
    """The Hamilton product of quaternions (..., 4), wxyz: the turn `second`, then the turn `first`."""
    w1, x1, y1, z1 = np.moveaxis(first, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def quat_angle(first: Array, second: Array) -> Array:
    """The angle of the turn between unit quaternions (..., 4), wxyz, in rad, 0 to π.

    2 atan2(|v|, |w|) of their quotient: as 2 acos |w|, but exact for small turns; q and -q are one turn.
    """
    quotient = quat_multiply(quat_conjugate(second), first)
    sine = np.linalg.norm(quotient[..., 1:], axis=-1)
    angle: Array = 2.0 * np.arctan2(sine, np.abs(quotient[..., 0]))
    return angle


def two_axes(quat: Array) -> Array:
    """Where unit quaternions (..., 4), wxyz, turn the x and y axes, (..., 6).

    The first two columns of the rotation matrix: a rotation without jumps, and the same for q and -q.
    """
    w, x, y, z = np.moveaxis(quat, -1, 0)
    return np.stack(
        [
            1.0 - 2.0 * (y * y + z * z),
            2.0 * (x * y + w * z),
            2.0 * (x * z - w * y),
            2.0 * (x * y - w * z),
            1.0 - 2.0 * (x * x + z * z),
            2.0 * (y * z + w * x),
        ],
        axis=-1,
    )
