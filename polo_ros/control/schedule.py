"""Which plan acts at which time."""

from dataclasses import dataclass

from polo_ros.planner import Plan
from polo_ros.planner.plan import ROUNDING_S

# plans that another one replaced longer ago than this are dropped, in s: `at` may be called with a time
# shortly before now
KEPT_AFTER_END_S = 1.0
NO_PLAN, RUN_OUT = "no plan yet", "the plan has run out"


@dataclass(frozen=True)
class Scheduled:
    """A plan and the stamp of the state that it was made from, in ns."""

    plan: Plan
    stamp: int


def why_unfollowed(scheduled: Scheduled | None, time: float) -> str:
    """Why there is no plan to follow at a time in s; empty where there is."""
    if scheduled is None:
        return NO_PLAN
    return RUN_OUT if scheduled.plan.has_ended(time) else ""


class Schedule:
    """Which plan acts when: each from its start on, until a newer plan starts.

    One thread at a time may change it; any thread may read it.
    """

    def __init__(self) -> None:
        # sorted by start; replaced as a whole, never changed
        self._plans: tuple[Scheduled, ...] = ()

    def add(self, plan: Plan, stamp: int, now: float) -> None:
        """Append a plan.

        Args:
          plan: newer than all others; older plans with a later start are dropped.
          stamp: of the state that it was made from, in ns.
          now: in s; plans that were replaced long before are dropped.
        """
        earlier = [other for other in self._plans if other.plan.start < plan.start]
        ended = sum(other.plan.start < now - KEPT_AFTER_END_S for other in earlier[1:])
        self._plans = (*earlier[ended:], Scheduled(plan, stamp))

    def at(self, time: float) -> Scheduled | None:
        """The plan that acts at a time in s, even if it has run out; None before the first."""
        started = (each for each in reversed(self._plans) if each.plan.start <= time + ROUNDING_S)
        return next(started, None)

    def clear(self) -> None:
        """Drop all plans."""
        self._plans = ()
