"""The parts of a flat state that arrive one by one, and their combination at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.samples import RecentSamples, Sample

Addresses = NDArray[np.int_]


@dataclass(frozen=True)
class Part:
    """A part of the state: which entries of `qpos` and of `qvel` it fills, and its recent samples."""

    qpos: Addresses | slice
    qvel: Addresses | slice
    samples: RecentSamples = field(default_factory=RecentSamples)


def fill_in(model: mujoco.MjModel, parts: Iterable[Part], qpos: Array, qvel: Array, moment: int) -> None:
    """Write each part's entries at a moment in ns into `qpos` (nq,) and `qvel` (nv,)."""
    between = []
    for part in parts:
        before, after = part.samples.around(moment)
        qpos[part.qpos], qvel[part.qvel] = before.qpos, before.qvel
        if before.stamp != moment:
            between.append((part, before, after))
    if between:
        _interpolate(model, qpos, qvel, moment, between)


def _interpolate(
    model: mujoco.MjModel, qpos: Array, qvel: Array, moment: int, between: list[tuple[Part, Sample, Sample]]
) -> None:
    """Interpolate parts at a moment in ns; `qpos` (nq,) and `qvel` (nv,) hold the samples before it.

    A part with samples of one side alone is rolled by their velocities.
    """
    later, shift = qpos.copy(), np.zeros(model.nv)
    share = np.zeros(model.nv)  # of the way to the sample after the moment
    for part, before, after in between:
        if before is after:
            shift[part.qvel] = (moment - before.stamp) / NANOSECONDS * before.qvel
            continue
        weight = (moment - before.stamp) / (after.stamp - before.stamp)
        later[part.qpos], share[part.qvel] = after.qpos, weight
        qvel[part.qvel] += weight * (after.qvel - before.qvel)
    way = np.empty(model.nv)
    mujoco.mj_differentiatePos(model, way, 1.0, qpos, later)
    mujoco.mj_integratePos(model, qpos, share * way + shift, 1.0)


def as_slice(addresses: Addresses) -> Addresses | slice:
    """Addresses that follow on each other as a slice, which NumPy copies ten times faster."""
    first = int(addresses[0]) if len(addresses) else 0
    consecutive = np.array_equal(addresses, np.arange(first, first + len(addresses)))
    return slice(first, first + len(addresses)) if consecutive else addresses
