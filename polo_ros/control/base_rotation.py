"""The base's rotation from an imu, beside odometry that comes more seldom and later."""

import mujoco
import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.joints import FreeBody
from polo_ros.control.samples import RecentSamples
from polo_ros.tasks.rotations import conjugate, multiply

# how far the vertical of an imu may lie from that of the odometry, in rad: a wrong mounting differs by more
MOST_TILT = 0.35


class BaseRotation:
    """An imu's recent samples, and how they fit the odometry.

    Args:
      model: of the robot.
      base: the body whose rotation is measured.

    Attributes:
      samples: the base's orientation wxyz in `qpos`, its angular velocity in its own frame in `qvel`.
    """

    def __init__(self, model: mujoco.MjModel, base: FreeBody) -> None:
        self.samples = RecentSamples()
        self._quaternion = slice(base.qpos + 3, base.qpos + 7)
        self._velocity = slice(model.nq + base.qvel + 3, model.nq + base.qvel + 6)
        self._tilt = 0.0  # between the verticals of imu and odometry, in rad

    def compare(self, odometry: RecentSamples) -> None:
        """Compare the verticals of imu and odometry at their newest common moment."""
        ours, theirs = self.samples.newest, odometry.newest
        if ours is None or theirs is None:
            return
        moment = min(ours.stamp, theirs.stamp)
        pose, imu = orientation_at(odometry, moment, skip=3)[0], orientation_at(self.samples, moment)[0]
        self._tilt = heading_and_tilt(pose, imu)[1]

    def tilted(self) -> str:
        """A sentence if imu and odometry disagree about the vertical; empty if they agree."""
        if self._tilt <= MOST_TILT:
            return ""
        return (
            f"imu and odom differ by {self._tilt:.2f} rad in tilt, more than {MOST_TILT} rad; set "
            f"imu_frame to the imu's site in the model"
        )

    def put_into(self, state: Array, moment: int, heading: Array | None = None) -> Array:
        """Replace the base's rotation in a flat state (state_size,) by the imu's at a moment in ns.

        The imu's heading has an arbitrary zero and drifts: it is turned into the odometry's.

        Args:
          state: with the odometry's orientation, unless the heading is given.
          moment: in ns.
          heading: the turn from the imu's heading to the odometry's, (4,), where it is known.

        Returns:
          That turn.
        """
        orientation, state[self._velocity] = orientation_at(self.samples, moment)
        if heading is None:
            heading, _ = heading_and_tilt(state[self._quaternion], orientation)
        state[self._quaternion] = multiply(heading, orientation)
        return heading


def orientation_at(samples: RecentSamples, moment: int, skip: int = 0) -> tuple[Array, Array]:
    """An orientation (4,) and angular velocity (3,) at a moment in ns, between two samples.

    A moment with samples of one side alone has the nearest one's.

    Args:
      samples: with a quaternion wxyz in `qpos` and an angular velocity in `qvel`.
      moment: in ns.
      skip: how many entries of `qpos` and of `qvel` come before these.

    Raises:
      IndexError: there is no sample yet.
    """
    before, after = samples.around(moment)
    first, second = before.qpos[skip:], after.qpos[skip:]
    if before is after:
        return first, before.qvel[skip:]
    weight = (moment - before.stamp) / (after.stamp - before.stamp)
    way, quaternion = np.empty(3), first.copy()
    mujoco.mju_subQuat(way, second, first)
    mujoco.mju_quatIntegrate(quaternion, way, weight)
    return quaternion, (before.qvel + weight * (after.qvel - before.qvel))[skip:]


def heading_and_tilt(odometry: Array, imu: Array) -> tuple[Array, float]:
    """How an imu's orientation (4,) differs from the odometry's (4,).

    Returns:
      The rotation about the vertical that turns the imu's heading into the odometry's, (4,), and the angle
      between their verticals, in rad. An imu's heading has an arbitrary zero and drifts; its vertical is that
      of gravity.
    """
    difference = multiply(odometry, conjugate(imu))
    heading = np.array([difference[0], 0.0, 0.0, difference[3]])
    length = float(np.linalg.norm(heading))
    if length < 1e-9:  # upside down
        return np.array([1.0, 0.0, 0.0, 0.0]), np.pi
    return heading / length, float(2.0 * np.arccos(min(length, 1.0)))
