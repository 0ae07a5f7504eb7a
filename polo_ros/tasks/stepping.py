"""Footsteps of a biped by its capture point, predicted by the linear inverted pendulum.

The capture point ξ = x + v / ω, with ω² = g / height, moves away from the centre of pressure p:
ξ' = ω (ξ - p), while the centre of mass follows it: x' = ω (ξ - x) (Englsberger et al. 2015). A step that
ends in time T has ξ_T = p + (ξ - p) exp(ω T); what ξ_T is off a periodic gait's, the foothold makes up for.
"""

from dataclasses import dataclass

import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.tasks.gait import Gait
from polo_ros.tasks.model import STANDARD_GRAVITY

LEFT, RIGHT = 0, 1
# the part of a swing after which the foot is meant to be down: servos follow late
LANDED = 0.85
# how far beyond the capture point the centre of pressure of a standing robot goes, as a share of its error
PUSH_BACK = 1.0


@dataclass(frozen=True)
class Stance:
    """What steps are planned from: P states, in a level frame under the base that has its heading.

    Attributes:
      centre, velocity: of the mass, (P, 2), in m and m/s.
      feet: places of the soles' origins, left and right, (P, 2, 2), in m.
      yaws: of the feet, (P, 2), in rad.
      goal: wanted velocity ahead, to the left, and yaw rate, (P, 3), in m/s and rad/s.
      clock: of the gait, (P,), in s.
    """

    centre: Array
    velocity: Array
    feet: Array
    yaws: Array
    goal: Array
    clock: Array


@dataclass(frozen=True)
class Steps:
    """Predicted motion at n times, in the frame of `Stance`.

    Attributes:
      centre: of the mass, (P, n, 2), in m.
      feet: (P, n, 2, 3), places of the soles, heights included, in m.
      yaws: of the feet, (P, n, 2), in rad.
      heading: of the base, (P, n), in rad: that of the standing foot, and what is to be turned.
      pressure: the centre of pressure of each foot, (P, n, 2, 2), in m.
      load: each foot's share of the weight, (P, n, 2).
    """

    centre: Array
    feet: Array
    yaws: Array
    heading: Array
    pressure: Array
    load: Array


@dataclass(frozen=True)
class Stepper:
    """Plans steps.

    Attributes:
      gait: of two feet, left and right, half a cycle apart, each on the ground for more than half of it.
      height: of the centre of mass, in m.
      width: wanted distance of the feet, in m.
      sole: lowest and highest place of the centre of pressure from a sole's origin, (2, 2), in m.
      reach: the longest step from the standing foot ahead, and narrowest and widest to the side, in m.
    """

    gait: Gait
    height: float
    width: float
    sole: Array
    reach: tuple[float, float, float]

    @property
    def rate(self) -> float:
        """ω, in 1/s."""
        return float(np.sqrt(STANDARD_GRAVITY / self.height))

    def walk(self, stance: Stance, times: Array) -> Steps:
        """Steps by the clock, from `stance` on, at `times` (n,) in s."""
        gait, rate = self.gait, self.rate
        states = np.arange(len(stance.clock))
        step_time, double = 0.5 * gait.period, (gait.duty - 0.5) * gait.period
        centre, capture = stance.centre, stance.centre + stance.velocity / rate
        feet, yaws = np.zeros((len(states), 2, 3)), stance.yaws.copy()
        feet[..., :2] = stance.feet
        swung = np.ones(len(states))
        found = _room(len(states), len(times))
        for index, (time, span) in enumerate(zip(times, np.diff(times, append=times[-1]), strict=True)):
            phase = np.mod(stance.clock + time, gait.period)
            standing = np.where(phase < step_time, LEFT, RIGHT)
            swinging = 1 - standing
            side = np.where(standing == LEFT, -1.0, 1.0)  # to which the next step goes
            since = np.mod(phase, step_time)
            growth = np.exp(rate * (step_time - since))[:, None]
            pivot, other = feet[states, standing, :2], feet[states, swinging, :2]
            stride, beyond = self._periodic(stance.goal, side)
            # the centre of pressure that would make the periodic step, as far as the sole has it
            wanted = (pivot + stride + beyond - capture * growth) / (1.0 - growth - 1e-6)
            pressure = np.clip(wanted, pivot + self.sole[0], pivot + self.sole[1])
            landing = self._reachable(pivot, pressure + (capture - pressure) * growth - beyond, side)
            # the rest of the swing, from where the foot is
            progress = np.clip((since - double) / (LANDED * (step_time - double)), 0.0, 1.0)
            eased_now = eased(progress)
            swung = np.where(eased_now < swung, 0.0 if index else eased_now, swung)
            part = np.clip((eased_now - swung) / np.maximum(1.0 - swung, 1e-3), 0.0, 1.0)
            swung = eased_now
            feet[states, swinging, :2] = other + part[:, None] * (landing - other)
            feet[..., 2] = 0.0
            feet[states, swinging, 2] = gait.height * np.sin(np.pi * progress) ** 2
            landing_yaw = yaws[states, standing] + stance.goal[:, 2] * step_time
            yaws[states, swinging] += part * (landing_yaw - yaws[states, swinging])
            # the weight moves from foot to foot while both are on the ground
            share = np.clip(since / max(double, 1e-9), 0.0, 1.0)
            left_behind = other + self.sole.mean(axis=0)
            found.centre[:, index], found.feet[:, index], found.yaws[:, index] = centre, feet, yaws
            found.heading[:, index] = yaws[states, standing] + stance.goal[:, 2] * (since - 0.5 * step_time)
            found.pressure[states, index, standing] = pressure
            found.pressure[states, index, swinging] = left_behind
            found.load[states, index, standing], found.load[states, index, swinging] = share, 1.0 - share
            felt = share[:, None] * pressure + (1.0 - share[:, None]) * left_behind
            centre, capture = self._fall(centre, capture, felt, span)
        return found

    def stand(self, stance: Stance, times: Array) -> Steps:
        """Both feet stay; the pressure between them pushes the capture point to their middle."""
        found = _room(len(stance.clock), len(times))
        middle = stance.feet.mean(axis=1) + self.sole.mean(axis=0)
        capture = stance.centre + stance.velocity / self.rate
        low, high = stance.feet.min(axis=1) + self.sole[0], stance.feet.max(axis=1) + self.sole[1]
        pressure = np.clip(capture + PUSH_BACK * (capture - middle), low, high)
        right = stance.feet[:, RIGHT, 1]
        gap = np.maximum(stance.feet[:, LEFT, 1] - right, 1e-3)
        share = np.clip((pressure[:, 1] - right) / gap, 0.0, 1.0)[:, None]
        found.load[..., LEFT], found.load[..., RIGHT] = share, 1.0 - share
        found.pressure[:] = np.clip(
            pressure[:, None], stance.feet + self.sole[0], stance.feet + self.sole[1]
        )[:, None]
        found.feet[..., :2], found.feet[..., 2] = stance.feet[:, None], 0.0
        found.yaws[:] = stance.yaws[:, None]
        found.heading[:] = stance.yaws.mean(axis=-1)[:, None]
        decay = np.exp(-self.rate * times)[:, None]
        found.centre[:] = middle[:, None] + decay * (stance.centre - middle)[:, None]
        return found

    def _fall(self, centre: Array, capture: Array, pressure: Array, span: float) -> tuple[Array, Array]:
        """Centre of mass and capture point, each (P, 2), after `span` s about a fixed pressure."""
        rising, falling = np.exp(self.rate * span), np.exp(-self.rate * span)
        ahead = pressure + (capture - pressure) * rising
        fallen = pressure + (centre - pressure) * falling + 0.5 * (capture - pressure) * (rising - falling)
        return fallen, ahead

    def _periodic(self, goal: Array, side: Array) -> tuple[Array, Array]:
        """A periodic gait's step (P, 2) from foot to foot, and the capture point from the foot it ends on."""
        step_time, double = 0.5 * self.gait.period, (self.gait.duty - 0.5) * self.gait.period
        growth = np.exp(self.rate * step_time)
        # by which the centre of pressure, which moves from foot to foot in the double support, drives it more
        kept = growth * (1.0 + np.expm1(-self.rate * double) / (self.rate * double))
        stride = goal[:, :2] * step_time
        beyond = stride * (1.0 - kept) / (growth - 1.0)
        stride[:, 1] += side * self.width
        beyond[:, 1] -= side * self.width * (1.0 + kept) / (growth + 1.0)
        return stride, beyond + self.sole.mean(axis=0) * [1.0, 0.0]

    def _reachable(self, pivot: Array, landing: Array, side: Array) -> Array:
        """Landing places (P, 2) that the leg can reach without crossing the standing one."""
        longest, narrowest, widest = self.reach
        ahead = np.clip(landing[:, 0], pivot[:, 0] - longest, pivot[:, 0] + longest)
        aside = np.clip(side * (landing[:, 1] - pivot[:, 1]), narrowest, widest)
        return np.stack([ahead, pivot[:, 1] + side * aside], axis=-1)


def eased(progress: Array) -> Array:
    """0 to 1 along a cycloid, which starts and ends without a jump of the speed."""
    return progress - np.sin(2.0 * np.pi * progress) / (2.0 * np.pi)


def _room(states: int, times: int) -> Steps:
    """Arrays to be filled."""
    shape = (states, times)
    return Steps(*(np.empty((*shape, *rest)) for rest in ((2,), (2, 3), (2,), (), (2, 2), (2,))))


def select(chosen: Mask, first: Steps, second: Steps) -> Steps:
    """The first steps where states (P,) are chosen, else the second."""
    pairs = ((getattr(first, name), getattr(second, name)) for name in Steps.__dataclass_fields__)
    return Steps(*(np.where(chosen.reshape(-1, *[1] * (one.ndim - 1)), one, other) for one, other in pairs))
