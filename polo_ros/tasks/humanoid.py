"""The common part of the humanoid tasks: 34 value features and the control cost (appendix A)."""

from abc import ABC
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.model import STANDARD_GRAVITY
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

# contact force at which a touch feature reads one half, in N: about an eighth of the body's weight
TOUCH_HALF_FORCE = 50.0
# root heights between which a humanoid counts as standing, in m. Upright standing is 1.285; with the paper's
# gears it can jump and stay above 1 m for two seconds without standing
STANDING_HEIGHT = 1.0
LEAPING_HEIGHT = 1.45
# largest deviation of each joint angle of a start state from the keyframe, in rad
START_NOISE = 0.02
# least cosine of the torso's angle from vertical at which it counts as upright
UPRIGHT_COSINE = 0.7

CONTROL_COST = RewardTerm(
    "control",
    -0.02,
    -0.2,
    0.0,
    "Motor torques weighted by the inverse mass matrix; 1 is every motor at its full torque.",
)

# Below a root height of 1.1 m the rewards of A.2 and A.3 consist of the height alone.
TARGET_HEIGHT = 1.1
HEIGHT_DEFICIT = RewardTerm("height", 1.0, 0.0, 10.0, "-(1.1 m - root height) below 1.1 m, else 0.")

# Not in the paper, whose reward is the same for a jump as for standing still; the default weight is zero.
UPRIGHT = RewardTerm("upright", 0.0, 0.0, 1.0, "Height of the tip of the torso's unit up axis.")
MOTION = RewardTerm("motion", 0.0, -0.5, 0.0, "Square of the root's velocity, in m²/s², at most 10.")
MOST_MOTION = 10.0
# Not in the paper either; the humanoid of MuJoCo MPC has such a term. A robot whose capture point is between
# its feet can come to rest there (Pratt et al. 2006).
BALANCE = RewardTerm(
    "balance", 0.0, -5.0, 0.0,
    "Squared distance of the capture point from the middle of the feet, in m², at most 1; less below 1.1 m.",
)  # fmt: skip
MOST_IMBALANCE = 1.0


class Humanoid(Task, ABC):
    """The 27-dof humanoid of `models/humanoid.xml` with the paper's 34 value features."""

    model_source: ClassVar[str] = "humanoid.xml"
    trace_sensor: ClassVar[str] = "torso_position"
    measure: ClassVar[Measure] = Measure("root height", "m")
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("torso forward axis in the world", 3, "1"),
        Feature("torso up axis in the world", 3, "1"),
        Feature("neck to right hand in the torso's frame", 3, "m"),
        Feature("neck to left hand in the torso's frame", 3, "m"),
        Feature("hip to right foot in the pelvis's frame", 3, "m"),
        Feature("hip to left foot in the pelvis's frame", 3, "m"),
        Feature("height of root, hands and feet", 5, "m"),
        Feature("root linear velocity in the torso's frame", 3, "m/s"),
        Feature("root angular velocity in the torso's frame", 3, "rad/s"),
        Feature("touch of head, hands and feet", 5, "f / (f + 50 N)"),
    )

    # computed by the first call of `control_cost`
    _control_metric: Array | None = None

    def value_features(self, view: View) -> Array:
        """The 34 numbers of the paper's appendix A, (..., 34)."""
        heights = [
            view.sensor(name)[..., 2:3]
            for name in (
                "torso_position",
                "right_hand_position",
                "left_hand_position",
                "right_foot_position",
                "left_foot_position",
            )
        ]
        touches = [
            view.sensor(name)
            for name in (
                "head_touch",
                "right_hand_touch",
                "left_hand_touch",
                "right_foot_touch",
                "left_foot_touch",
            )
        ]
        features: Array = np.concatenate(
            [
                view.sensor("torso_forward"),
                view.sensor("torso_up"),
                view.sensor("neck_to_right_hand"),
                view.sensor("neck_to_left_hand"),
                view.sensor("hip_to_right_foot"),
                view.sensor("hip_to_left_foot"),
                *heights,
                view.sensor("torso_linear_velocity"),
                view.sensor("torso_angular_velocity"),
                *touches,
            ],
            axis=-1,
        )
        features[..., -len(touches) :] /= features[..., -len(touches) :] + TOUCH_HALF_FORCE
        return features

    def root_height(self, view: View) -> Array:
        """The height of the torso's centre, (...), in m."""
        return view.sensor("torso_position")[..., 2]

    def above_target(self, view: View) -> Mask:
        """Whether the root is above 1.1 m, (...); below, the reward of A.2 and A.3 is the height alone."""
        above: Mask = self.root_height(view) > TARGET_HEIGHT
        return above

    def height_deficit(self, view: View) -> Array:
        """-(1.1 m - root height) below 1.1 m, else 0, (...)."""
        deficit: Array = np.minimum(self.root_height(view) - TARGET_HEIGHT, 0.0)
        return deficit

    def start_from(self, keyframe: str, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Put `data` into a keyframe at rest, each joint angle changed at random by up to 0.02 rad."""
        mujoco.mj_resetDataKeyframe(self.model, data, self.model.key(keyframe).id)
        hinges = self.model.jnt_qposadr[self.model.jnt_type == int(mujoco.mjtJoint.mjJNT_HINGE)]
        data.qpos[hinges] += rng.uniform(-START_NOISE, START_NOISE, len(hinges))

    def measured(self, view: View) -> Array:
        """The root's height."""
        return self.root_height(view)

    def posture_terms(self, view: View) -> dict[str, Array]:
        """The vertical part of the torso's up axis, and its squared speed, each (...)."""
        # a sum of three terms: NumPy's sum over an axis of length three takes several times as long
        squares = view.sensor("torso_linear_velocity") ** 2
        speed = squares[..., 0] + squares[..., 1] + squares[..., 2]
        return {
            UPRIGHT.name: view.sensor("torso_up")[..., 2],
            MOTION.name: np.minimum(speed, MOST_MOTION),
        }

    def capture_distance(self, view: View) -> Array:
        """Squared horizontal distance of the torso's capture point from the middle of the feet, in m², (...).

        At most 1, and times the square of height / 1.1 m below that height, so that rising is not punished.
        The capture point is where a linear inverted pendulum would have to step to come to rest: position +
        velocity · √(height / g).
        """
        torso, velocity = view.sensor("torso_position"), view.sensor("torso_linear_velocity")
        forward, up = view.sensor("torso_forward"), view.sensor("torso_up")
        right, left = view.sensor("right_foot_position"), view.sensor("left_foot_position")
        height = np.maximum(torso[..., 2], 0.0)
        time = np.sqrt(height / STANDARD_GRAVITY)
        distance = np.zeros(height.shape)
        for axis in (0, 1):
            # the third axis of the torso's frame, up × forward, along this axis of the world
            following, last = (axis + 1) % 3, (axis + 2) % 3
            aside = up[..., following] * forward[..., last] - up[..., last] * forward[..., following]
            moving = (
                velocity[..., 0] * forward[..., axis]
                + velocity[..., 1] * aside
                + velocity[..., 2] * up[..., axis]
            )
            distance += (torso[..., axis] + time * moving - 0.5 * (right[..., axis] + left[..., axis])) ** 2
        shown: Array = np.minimum(distance, MOST_IMBALANCE) * np.minimum(height / TARGET_HEIGHT, 1.0) ** 2
        return shown

    def control_cost(self, view: View) -> Array:
        """uᵀ B M⁻¹ Bᵀ u over its trace, (...): the paper's torque cost scaled by the inverse mass matrix.

        M is computed once, in the model's reference pose: a matrix for each step would need a factorisation
        in each, for a term that only calms the arms.
        """
        if self._control_metric is None:
            self._control_metric = control_metric(self.model)
        ctrl = view.ctrl
        cost: Array = np.einsum("...i,...i->...", ctrl @ self._control_metric, ctrl)
        return cost

    def achieved(self, view: View) -> Mask:
        """Whether it stands: upright, with the root between 1 m and 1.45 m."""
        height = self.root_height(view)
        upright = view.sensor("torso_up")[..., 2] > UPRIGHT_COSINE
        standing: Mask = (height > STANDING_HEIGHT) & (height < LEAPING_HEIGHT) & upright
        return standing


def control_metric(model: mujoco.MjModel) -> Array:
    """B M⁻¹ Bᵀ over its trace, (nu, nu), with B from controls at full range to generalised forces."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    moment = np.zeros((model.nu, model.nv))
    for actuator in range(model.nu):
        dof = model.jnt_dofadr[model.actuator_trnid[actuator, 0]]
        moment[actuator, dof] = model.actuator_gear[actuator, 0]
    solved = np.zeros_like(moment)
    mujoco.mj_solveM(model, data, solved, moment)
    metric: Array = moment @ solved.T
    metric /= np.trace(metric)
    return metric
