"""Velocities of joints from successive positions, for drivers that leave velocities out."""

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.samples import KEPT_SPAN_NS, Sample


class Differentiator:
    """Fills in the velocities that joint states lack.

    The newest velocity is the slope at the end of the parabola through the last three positions, so that it
    does not lag. Once the next positions are there, it is replaced by the slope at the parabola's middle (the
    central difference), whose error is about half. A state that waits for late odometry is made of these.

    Positions that come with an earlier stamp than the newest are not used. After more than 0.2 s without
    positions, or a clock that jumped back as far, differentiation begins anew.
    """

    def __init__(self) -> None:
        self._kept: list[Sample] = []

    def complete(self, sample: Sample) -> list[Sample]:
        """The samples that are now known, oldest first.

        Args:
          sample: positions (n,) and velocities (n,) of the joints, NaN where a velocity is missing.

        Returns:
          The sample with all velocities, after the one before it where that is now known better; none before
          the second sample.
        """
        kept = self._kept
        if kept and abs(sample.stamp - kept[-1].stamp) > KEPT_SPAN_NS:
            kept.clear()
        if kept and sample.stamp <= kept[-1].stamp:
            return []
        kept.append(sample)
        del kept[:-3]
        if len(kept) < 2:
            return []
        if len(kept) == 2:
            return [_with_velocity(sample, _slope(*kept))]
        first, middle, last = kept
        earlier, later = _slope(first, middle), _slope(middle, last)
        bend = (later - earlier) / (last.stamp - first.stamp)
        at_middle = earlier + bend * (middle.stamp - first.stamp)
        at_end = later + bend * (last.stamp - middle.stamp)
        return [_with_velocity(middle, at_middle), _with_velocity(last, at_end)]


def _slope(before: Sample, after: Sample) -> Array:
    """The mean velocities between two samples, (n,)."""
    slope: Array = (after.qpos - before.qpos) * (NANOSECONDS / (after.stamp - before.stamp))
    return slope


def _with_velocity(sample: Sample, velocity: Array) -> Sample:
    """A sample whose missing velocities are those given, (n,)."""
    return Sample(sample.qpos, np.where(np.isnan(sample.qvel), velocity, sample.qvel), sample.stamp)
