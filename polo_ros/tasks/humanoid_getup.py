"""Humanoid getup (paper, appendix A.1): rise from lying on the back to a root height of 1.1 m."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.parameters.schema import parameter
from polo_ros.tasks import building, features
from polo_ros.tasks.humanoid import BALANCE, CONTROL_COST, MOTION, TARGET_HEIGHT, UPRIGHT, Humanoid
from polo_ros.tasks.terms import Feature, RewardTerm
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


@dataclass(frozen=True)
class GetupSetup:
    """What the value function sees."""

    joint_features: bool = parameter(
        False,
        "Whether value features hold the joints' angles and velocities beside the paper's 34 numbers.",
        dynamic=False,
    )


class HumanoidGetup(Humanoid):
    """Stand up from supine, rewarded for height (dense) or for a height above 1.1 m (sparse)."""

    name: ClassVar[str] = "humanoid_getup"
    summary: ClassVar[str] = "A humanoid stands up from lying on its back."
    terms: ClassVar[tuple[RewardTerm, ...]] = getup_terms(height=1.0, sparse=0.0)
    setup_type: ClassVar[type[GetupSetup]] = GetupSetup
    setup: GetupSetup

    def build(self, spec: mujoco.MjSpec) -> None:
        """Sensors of the joints, where the value function sees them."""
        self._joints = building.add_joint_sensors(spec) if self.setup.joint_features else []

    def listed_features(self) -> tuple[Feature, ...]:
        """The paper's, then those of the joints."""
        count = len(self._joints)
        added = (Feature("joint angles", count, "rad"), Feature("joint velocities", count, "rad/s"))
        return super().listed_features() + (added if count else ())

    def value_features(self, view: View) -> Array:
        """The paper's 34 numbers, then those of the joints, (..., 34) or (..., 76)."""
        paper = super().value_features(view)
        if not self._joints:
            return paper
        joints = (features.joint_positions(view, self._joints), features.joint_velocities(view, self._joints))
        return np.concatenate([paper, *joints], axis=-1)

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
