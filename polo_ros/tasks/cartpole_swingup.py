"""Cart-pole swing-up: a small task that tests can solve."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.task import Task
from polo_ros.tasks.terms import Feature, Measure, RewardTerm
from polo_ros.tasks.view import View


class CartpoleSwingup(Task):
    """Swing the pole up and hold it near the middle of the rail."""

    name: ClassVar[str] = "cartpole_swingup"
    summary: ClassVar[str] = "A cart swings a hanging pole up and balances it."
    model_source: ClassVar[str] = "cartpole.xml"
    trace_sensor: ClassVar[str] = "tip_position"
    hold_time: ClassVar[float] = 1.0
    measure: ClassVar[Measure] = Measure("angle from upright", "rad")
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("upright", 1.0, 0.0, 2.0, "(1 + cosine of the pole's angle) / 2."),
        RewardTerm("centre", -0.1, -1.0, 0.0, "Square of the cart's position, in m²."),
        RewardTerm("speed", -0.01, -0.1, 0.0, "Square of the pole's angular velocity, in rad²/s²."),
        RewardTerm("control", -0.01, -0.1, 0.0, "Square of the control."),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("cart position", 1, "m"),
        Feature("cart velocity", 1, "m/s"),
        Feature("sine and cosine of the pole's angle", 2, "1"),
        Feature("pole angular velocity", 1, "rad/s"),
    )

    def reward_terms(self, view: View) -> dict[str, Array]:
        """Upright, centred, slow, with little force; each (...)."""
        return {
            "upright": 0.5 * (1.0 + view.sensor("pole_axis")[..., 2]),
            "centre": view.sensor("cart_position")[..., 0] ** 2,
            "speed": view.sensor("pole_velocity")[..., 0] ** 2,
            "control": view.ctrl[..., 0] ** 2,
        }

    def value_features(self, view: View) -> Array:
        """Position, velocity, the pole's direction and its velocity, (..., 5)."""
        return np.concatenate(
            [
                view.sensor("cart_position"),
                view.sensor("cart_velocity"),
                view.sensor("pole_axis")[..., [0, 2]],
                view.sensor("pole_velocity"),
            ],
            axis=-1,
        )

    def measured(self, view: View) -> Array:
        """The pole's angle from upright, 0 to π."""
        angle: Array = np.arccos(np.clip(view.sensor("pole_axis")[..., 2], -1.0, 1.0))
        return angle

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Hanging at rest, up to 0.1 rad from vertical and 0.1 m from the middle."""
        mujoco.mj_resetData(self.model, data)
        data.qpos[:] = rng.uniform(-0.1, 0.1, 2)
        data.qpos[1] += np.pi

    def achieved(self, view: View) -> Mask:
        """Whether the pole is within about 18 degrees of upright."""
        return view.sensor("pole_axis")[..., 2] > 0.95
