"""Humanoid walk (paper, appendix A.2): walk along the world's x-axis at 1 m/s."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.humanoid import (
    CONTROL_COST,
    HEIGHT_DEFICIT,
    MOTION,
    UPRIGHT,
    Humanoid,
)
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View

TARGET_SPEED = 1.0
# sqrt(1.1 m / g), the time constant of a linear inverted pendulum as high as the root, in s
CAPTURE_TIME = 0.33
# speed along x from which a standing humanoid counts as walking, in m/s
WALKING_SPEED = 0.5


class HumanoidWalk(Humanoid):
    """Below a root height of 1.1 m the reward is the height; above it, speed and a straight line.

    The text of the paper describes a small distance from the x-axis, |y|; its formula has |Root_x|, which
    would punish walking itself. The default follows the text; `reward.line` 0 and `reward.printed_line` -1
    give the formula as printed.
    """

    name: ClassVar[str] = "humanoid_walk"
    summary: ClassVar[str] = "A humanoid walks straight ahead at 1 m/s."
    measure: ClassVar[Measure] = Measure("distance walked along x", "m")
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        HEIGHT_DEFICIT,
        RewardTerm("speed", 1.0, 0.0, 2.0, "1 - |1 m/s - speed along x| while the root is above 1.1 m."),
        RewardTerm("line", -1.0, -2.0, 0.0, "Distance of the root from the x-axis, |y| in m, above 1.1 m."),
        RewardTerm("printed_line", 0.0, -2.0, 0.0, "|x| of the root in m, above 1.1 m: A.2 as printed."),
        RewardTerm("heading", 0.0, 0.0, 2.0, "Cosine between the torso's forward axis and x."),
        RewardTerm("balance", 0.0, -5.0, 0.0, "Distance of the capture point from between the feet, in m."),
        CONTROL_COST,
        UPRIGHT,
        MOTION,
    )
    features: ClassVar[tuple[Feature, ...]] = (
        *Humanoid.features,
        Feature("distance to the left of the x-axis", 1, "m"),
    )

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The terms of the paper's R(s), and those of all humanoid tasks, each (...)."""
        position, velocity = view.sensor("torso_position"), self.velocity(view)
        standing = self.above_target(view).astype(float)
        return {
            HEIGHT_DEFICIT.name: self.height_deficit(view),
            "speed": standing * (1.0 - np.abs(TARGET_SPEED - velocity[..., 0])),
            "line": standing * np.abs(position[..., 1]),
            "printed_line": standing * np.abs(position[..., 0]),
            "heading": view.sensor("torso_forward")[..., 0],
            "balance": self.imbalance(view, velocity),
            CONTROL_COST.name: self.control_cost(view),
            **self.posture_terms(view),
        }

    def velocity(self, view: View) -> Array:
        """The root's velocity in the world, (..., 3), in m/s."""
        forward, up = view.sensor("torso_forward"), view.sensor("torso_up")
        axes = np.stack([forward, np.cross(up, forward), up], axis=-1)
        velocity: Array = np.einsum("...ij,...j->...i", axes, view.sensor("torso_linear_velocity"))
        return velocity

    def imbalance(self, view: View, velocity: Array) -> Array:
        """The distance of the capture point from the middle of the feet, (...), in m.

        The capture point of the linear inverted pendulum (Pratt et al. 2006), in a frame that moves at the
        target speed.
        """
        root = view.sensor("torso_position")[..., :2]
        feet = (view.sensor("right_foot_position") + view.sensor("left_foot_position"))[..., :2] / 2
        capture = root + CAPTURE_TIME * (velocity[..., :2] - np.array([TARGET_SPEED, 0.0]))
        distance: Array = np.linalg.norm(capture - feet, axis=-1)
        return distance

    def value_features(self, view: View) -> Array:
        """The 34 numbers of the humanoid and the distance from the x-axis, (..., 35)."""
        return np.concatenate(
            [super().value_features(view), view.sensor("torso_position")[..., 1:2]], axis=-1
        )

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Upright, at rest, facing x."""
        self.start_from("standing", data, rng)

    def measured(self, view: View) -> Array:
        """The position of the root along x."""
        return view.sensor("torso_position")[..., 0]

    def achieved(self, view: View) -> Mask:
        """Whether it stands and moves along x at more than half the target speed."""
        walking: Mask = super().achieved(view) & (self.velocity(view)[..., 0] > WALKING_SPEED)
        return walking
