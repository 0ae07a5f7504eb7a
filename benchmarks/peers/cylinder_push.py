"""judo's cylinder push with its own model and reward, as a `Task`."""

from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np
from judo import MODEL_PATH
from judo.tasks import cylinder_push as judo_push

from polo_ros.arrays import Array, Mask
from polo_ros.tasks import Feature, Measure, RewardTerm, Task, View


class CylinderPush(Task):
    """A cylinder pushes another cylinder to the origin; the two are not attached."""

    name: ClassVar[str] = "cylinder_push"
    summary: ClassVar[str] = "A cylinder pushes another one to a goal."
    trace_sensor: ClassVar[str] = "trace_cart"
    measure: ClassVar[Measure] = Measure("distance from the goal", "m")
    terms: ClassVar[tuple[RewardTerm, ...]] = (
        RewardTerm("judo", 1.0, 0.0, 2.0, "judo's reward of a state, at its default weights."),
    )
    features: ClassVar[tuple[Feature, ...]] = (
        Feature("position of the pusher", 2, "m"),
        Feature("position of the pushed cylinder", 2, "m"),
    )

    def __init__(self) -> None:
        # only the reward is needed: judo's constructor would download meshes of its other tasks
        self._judo = object.__new__(judo_push.CylinderPush)
        self._judo.config = judo_push.CylinderPushConfig()
        super().__init__(Path(MODEL_PATH) / "xml" / "cylinder_push.xml")

    def _positions(self, view: View) -> Array:
        """Joint positions of the pusher, then of the pushed cylinder, (..., 4), in m."""
        pusher, cart = view.sensor("trace_pusher")[..., :2], view.sensor("trace_cart")[..., :2]
        return np.concatenate([pusher, cart], axis=-1)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """judo's reward of each state, (...).

        judo sums over time, so each state is passed as a rollout of one step. The velocities have no sensor
        and are passed as zeros; judo's default weight on them is zero.
        """
        positions = self._positions(view)
        states = np.concatenate([positions, np.zeros_like(positions)], axis=-1).reshape(-1, 1, 8)
        with np.errstate(invalid="ignore"):  # judo's direction to the goal is 0 / 0 exactly at the goal
            reward = self._judo.reward(states, np.empty(0), np.empty(0))
        return {"judo": reward.reshape(positions.shape[:-1])}

    def value_features(self, view: View) -> Array:
        """Both positions, (..., 4), in m."""
        return self._positions(view)

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """judo's start states: at rest, the pusher 1 m and the other cylinder 2 m from the goal."""
        mujoco.mj_resetData(self.model, data)
        for first, distance, angle in zip((0, 2), (1.0, 2.0), rng.uniform(0.0, 2 * np.pi, 2), strict=True):
            data.qpos[first : first + 2] = distance * np.cos(angle), distance * np.sin(angle)

    def measured(self, view: View) -> Array:
        """The pushed cylinder's distance from the goal, (...), in m."""
        distance: Array = np.linalg.norm(self._positions(view)[..., 2:], axis=-1)
        return distance

    def achieved(self, view: View) -> Mask:
        """Whether judo counts the state as success, (...)."""
        return self.measured(view) < judo_push.GOAL_DISTANCE_THRESHOLD
