"""Notices odometry whose twist is in another frame than the planner was told."""

from collections import deque

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.samples import Sample
from polo_ros.tasks.rotations import rotation_matrix

# every so many messages, one is compared with the next: the comparisons of a verdict must cover some time
STRIDE = 5
# comparisons that a verdict is made of, and the share of them that must agree
WINDOW = 20
MAJORITY = 0.75
# poses further apart than this, in s, are not differenced: too much has changed meanwhile
LONGEST_STEP_S = 0.05
# how far the two readings of a twist must be apart, in m/s and rad/s, to be told from each other
LEAST_DIFFERENCE = 0.3
# a comparison speaks for the reading whose squared error is less than this share of the other's
LARGEST_SHARE = 0.2

OTHER = {"child": "world", "world": "child"}


class TwistFrameCheck:
    """Compares the twist of an odometry with its differenced pose, in the told frame and in the other.

    A body that is turned away from the axes of its world and moves tells the two apart. Shocks, noise and
    delay disturb both readings, so that the other one explains the motion much better only where it is right.

    Args:
      topic: of the odometry.
      told: frame of its twist as the planner was told, "child" or "world".

    Attributes:
      fault: what is wrong and what to set; empty while nothing speaks for the other frame.
    """

    def __init__(self, topic: str, told: str) -> None:
        self.fault = ""
        self._topic = topic
        self._told = told
        self._count = 0
        self._last: Sample | None = None
        # whether the last comparisons that tell the readings apart speak for the other frame
        self._votes: deque[bool] = deque(maxlen=WINDOW)

    def add(self, sample: Sample) -> None:
        """Take a sample as read in the told frame: pose (7,) and velocity (6,), as MuJoCo keeps them."""
        self._count += 1
        if self._count % STRIDE == 0:
            self._last = sample
        elif self._count % STRIDE == 1 and self._last is not None:
            self._compare(self._last, sample)

    def _compare(self, before: Sample, after: Sample) -> None:
        step = (after.stamp - before.stamp) / NANOSECONDS
        if not 0.0 < step <= LONGEST_STEP_S:
            return
        moved = np.concatenate(
            [
                (after.qpos[:3] - before.qpos[:3]) / step,
                turn(before.qpos[3:7], after.qpos[3:7]) / step,
            ]
        )
        told = (before.qvel + after.qvel) / 2.0
        other = (self._reread(before) + self._reread(after)) / 2.0
        if np.sum((told - other) ** 2) < LEAST_DIFFERENCE**2:
            return
        self._votes.append(bool(np.sum((moved - other) ** 2) < LARGEST_SHARE * np.sum((moved - told) ** 2)))
        if len(self._votes) == WINDOW:
            self._judge()

    def _reread(self, sample: Sample) -> Array:
        """The velocity (6,) of a sample had its twist been in the other frame."""
        turned = rotation_matrix(sample.qpos[3:7])
        if self._told == "child":
            turned = turned.T
        return np.concatenate([turned @ sample.qvel[:3], turned @ sample.qvel[3:6]])

    def _judge(self) -> None:
        share = sum(self._votes) / len(self._votes)
        if share >= MAJORITY:
            frame = OTHER[self._told]
            self.fault = (
                f"the twist of {self._topic} is in the {frame} frame, as its poses show, and not in the "
                f"{self._told} frame; set odom_twist_frame to {frame}"
            )
        elif share <= 1.0 - MAJORITY:
            self.fault = ""


def turn(before: Array, after: Array) -> Array:
    """The rotation from one unit quaternion (4,) to another as a vector (3,) in the body's frame, in rad."""
    vector = np.empty(3)
    mujoco.mju_subQuat(vector, after, before)
    return vector
