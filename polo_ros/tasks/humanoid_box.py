"""Humanoid box (paper, appendix A.3): push a sliding cube to a goal and keep it there."""

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

# horizontal distance between root and box centre below which the distance to the goal is rewarded, in m
REACH = 0.8
# horizontal distance between box and goal below which the task is achieved, in m
ARRIVED = 0.3


class HumanoidBox(Humanoid):
    """Walk to the box, then push it to the goal; the floor is smooth, so that it slides far."""

    name: ClassVar[str] = "humanoid_box"
    summary: ClassVar[str] = "A humanoid pushes a sliding box to a goal."
    model_source: ClassVar[str] = "humanoid_box.xml"
    measure: ClassVar[Measure] = Measure("distance of the box from its goal", "m")
    hold_time: ClassVar[float] = 1.0
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        HEIGHT_DEFICIT,
        RewardTerm("approach", 1.0, 0.0, 2.0, "2 - distance of root and box in m where that is above 0.8 m."),
        RewardTerm("push", 1.0, 0.0, 2.0, "4 - 2 · distance of box and goal in m where the root is nearer."),
        CONTROL_COST,
        UPRIGHT,
        MOTION,
    )
    features: ClassVar[tuple[Feature, ...]] = (
        *Humanoid.features,
        Feature("box position in the world", 3, "m"),
        Feature("box velocity in the world", 3, "m/s"),
        Feature("torso to box in the torso's frame", 3, "m"),
        Feature("box to goal in the world's plane", 2, "m"),
    )

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The terms of the paper's R(s), and those of all humanoid tasks, each (...)."""
        box = view.sensor("box_position")[..., :2]
        apart: Array = np.linalg.norm(box - view.sensor("torso_position")[..., :2], axis=-1)
        standing, near = self.above_target(view), apart <= REACH
        return {
            HEIGHT_DEFICIT.name: self.height_deficit(view),
            "approach": (standing & ~near) * (2.0 - apart),
            "push": (standing & near) * (4.0 - 2.0 * self.measured(view)),
            CONTROL_COST.name: self.control_cost(view),
            **self.posture_terms(view),
        }

    def value_features(self, view: View) -> Array:
        """The 34 numbers of the humanoid and those of box and goal, (..., 45)."""
        box = view.sensor("box_position")
        return np.concatenate(
            [
                super().value_features(view),
                box,
                view.sensor("box_velocity"),
                view.sensor("torso_to_box"),
                view.sensor("goal_position")[..., :2] - box[..., :2],
            ],
            axis=-1,
        )

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Upright, at rest, facing the box 1.5 m ahead; the goal is 2.5 m ahead."""
        self.start_from("standing", data, rng)

    def measured(self, view: View) -> Array:
        """The horizontal distance of the box from its goal."""
        offset = view.sensor("goal_position")[..., :2] - view.sensor("box_position")[..., :2]
        distance: Array = np.linalg.norm(offset, axis=-1)
        return distance

    def achieved(self, view: View) -> Mask:
        """Whether the box is within 0.3 m of its goal."""
        arrived: Mask = self.measured(view) < ARRIVED
        return arrived
