"""Humanoid getup (paper, appendix A.1): rise from lying on the back to a root height of 1.1 m."""

from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.tasks.humanoid import BALANCE, CONTROL_COST, MOTION, TARGET_HEIGHT, UPRIGHT, Humanoid
from polo_ros.tasks.terms import RewardTerm
from polo_ros.tasks.view import View


def getup_terms(height: float, sparse: float) -> tuple[RewardTerm, ...]:
    """The paper's two rewards with given weights, and the control cost."""
    return (
        RewardTerm("height", height, 0.0, 2.0, "1 - (1.1 m - root height), at most 1 (dense, A.1)."),
        RewardTerm("sparse", sparse, 0.0, 2.0, "1 above a root height of 1.1 m, else 0 (sparse, A.1)."),
        CONTROL_COST,
        UPRIGHT,
        MOTION,
        BALANCE,
    )


class HumanoidGetup(Humanoid):
    """Stand up from supine, rewarded for height (dense) or for a height above 1.1 m (sparse)."""

    name: ClassVar[str] = "humanoid_getup"
    summary: ClassVar[str] = "A humanoid stands up from lying on its back."
    terms: ClassVar[tuple[RewardTerm, ...]] = getup_terms(height=1.0, sparse=0.0)

    def reward_terms(self, view: View) -> dict[str, Array]:
        """The paper's R(s), its sparse form and the control cost, each (...)."""
        height = self.root_height(view)
        return {
            "height": np.minimum(1.0 - (TARGET_HEIGHT - height), 1.0),
            "sparse": (height > TARGET_HEIGHT).astype(float),
            "control": self.control_cost(view),
            **self.posture_terms(view),
            BALANCE.name: self.capture_distance(view),
        }

    def start(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        """Supine, at rest, each joint angle changed at random by up to 0.02 rad."""
        self.start_from("supine", data, rng)


class HumanoidGetupSparse(HumanoidGetup):
    """The same with the paper's sparse reward alone."""

    name: ClassVar[str] = "humanoid_getup_sparse"
    summary: ClassVar[str] = "A humanoid stands up, rewarded only once it stands."
    terms: ClassVar[tuple[RewardTerm, ...]] = getup_terms(height=0.0, sparse=1.0)
