"""The planning thread, when its plans act, and how well time is kept; knows no ROS."""

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from polo_ros.planner import Plan

Request = TypeVar("Request")

# times in s since 1970 are good to 2.4e-7 s: a plan that starts at a control tick acts at that tick
ROUNDING = 1e-6
# whoever asks which plan acts now may be answered a moment later, in s
LONG_PAST = 1.0
NO_PLAN, RUN_OUT = "no plan yet", "the plan has run out"
# so many plans tell how long the next one will take
PLANS_REMEMBERED = 20
# and this share of them took no longer than it is given
IN_TIME = 0.9
# the furthest that a plan looks ahead, in ns
FURTHEST = 500_000_000
# between two plans so far apart the world may have been paused, which says nothing of its pace, in ns
PAUSE = 5_000_000_000


class Worker(Generic[Request]):
    """Runs a function on its own thread, on the newest request only.

    Requests that arrive while it is busy replace each other, so that a slow planner skips states
    instead of falling behind.

    Args:
      work: called with each request; its exceptions end the thread and reach `failure`.
      name: of the thread.
    """

    def __init__(self, work: Callable[[Request], None], name: str) -> None:
        self._work = work
        self._condition = threading.Condition()
        self._request: Request | None = None
        self._running = True
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Hand over a request, replacing one that has not been started."""
        with self._condition:
            self._request = request
            self._condition.notify()

    def close(self) -> None:
        """Let the current request finish and end the thread."""
        with self._condition:
            self._running = False
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._request is not None or not self._running)
                if not self._running:
                    return
                request, self._request = self._request, None
            assert request is not None
            try:
                self._work(request)
            except BaseException as error:  # handed to the node, which reports it and stops
                self.failure = error
                return


@dataclass(frozen=True)
class Scheduled:
    """A plan and the stamp of the state that it was made from, in ns."""

    plan: Plan
    stamp: int


def why_unfollowed(scheduled: Scheduled | None, time: float) -> str:
    """Why there is no plan to follow at a time in s; empty where there is."""
    if scheduled is None:
        return NO_PLAN
    return RUN_OUT if time > scheduled.plan.end + ROUNDING else ""


class Schedule:
    """Which plan acts when: each from its start on, until a newer one does.

    One thread at a time may change it; reading is for any thread.
    """

    def __init__(self) -> None:
        # by start, which is by age, too; replaced as a whole, never changed
        self._plans: tuple[Scheduled, ...] = ()

    def add(self, plan: Plan, stamp: int, now: float) -> None:
        """Put a plan behind the others.

        Args:
          plan: newer than all others, so that those which would start later never act.
          stamp: of the state that it was made from, in ns.
          now: in s; plans that ended long before are forgotten.
        """
        earlier = [other for other in self._plans if other.plan.start < plan.start]
        ended = sum(other.plan.start < now - LONG_PAST for other in earlier[1:])
        self._plans = (*earlier[ended:], Scheduled(plan, stamp))

    def at(self, time: float) -> Scheduled | None:
        """The plan whose turn it is at a time in s, even if it has run out; None before the first."""
        started = (each for each in reversed(self._plans) if each.plan.start <= time + ROUNDING)
        return next(started, None)

    def clear(self) -> None:
        """Forget all plans."""
        self._plans = ()


class LookAhead:
    """How far behind its state a plan must start, so that it is made by then nine times out of ten.

    What planning takes is measured by a monotonic clock, and in simulated time scaled by the pace at which
    that ran lately. Used by one thread.

    Args:
      period: of control, in ns.
      resolution: of the clock that stamps the states, in ns: a simulated one goes by whole periods.
    """

    def __init__(self, period: int, resolution: int = 0) -> None:
        self._period = period
        self._resolution = resolution
        self._began: tuple[int, int] | None = None
        # from one plan's beginning to the next one's, by either clock
        self._strides: deque[tuple[int, int]] = deque(maxlen=PLANS_REMEMBERED)
        self._spans: deque[int] = deque(maxlen=PLANS_REMEMBERED)

    def begin(self, wall: int, now: int) -> None:
        """A plan begins, at a time by the monotonic and the states' clock, in ns."""
        if self._began is not None:
            stride = wall - self._began[0], now - self._began[1]
            if stride[0] < PAUSE and stride[1] >= 0:
                self._strides.append(stride)
        self._began = wall, now

    def end(self, wall: int) -> None:
        """The plan is ready, by the monotonic clock, in ns."""
        assert self._began is not None
        self._spans.append(wall - self._began[0])

    def interrupt(self) -> None:
        """The states' clock has jumped."""
        self._began = None

    def periods(self, age: int, waited: int = 0) -> int:
        """Control periods from a state to the start of the plan that is now made from it.

        Args:
          age: of the state by its stamp, in ns.
          waited: time since it was heard by the monotonic clock, in ns: a simulated clock shows no age
            before a whole period is over.
        """
        pace, taken = self._pace(), 0
        if self._spans:
            taken = sorted(self._spans)[math.ceil(IN_TIME * (len(self._spans) - 1))]
        needed = max(age, waited * pace) + taken * pace
        return min(math.ceil(needed / self._period), FURTHEST // self._period)

    def _pace(self) -> float:
        """Time of the states' clock per monotonic time, at most."""
        wall = sum(stride[0] for stride in self._strides)
        clock = sum(stride[1] for stride in self._strides)
        return (clock + self._resolution) / wall if wall else 1.0


class Timing:
    """Counts control ticks and judges their time, by whatever clock the control timer runs.

    Ages are by stamps: a plan is as old as the state it was made from. Used by one thread.

    Args:
      period: of the control timer, in ns.
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._counts = {"control_ticks": 0, "safe_ticks": 0, "deadline_misses": 0}
        self._last_tick: int | None = None
        self._ages: dict[str, list[float]] = {"plan_age": [], "state_age": []}
        self._reported: tuple[int, int] | None = None

    def tick(self, now: int, state: int | None, plan: int | None) -> None:
        """A control tick, which missed its deadline where it came more than half a period late.

        Args:
          now: in ns, as the stamps.
          state: stamp of the newest state; None before the first.
          plan: stamp of the state that the plan was made from; None where the safe action was commanded.
        """
        self._counts["control_ticks"] += 1
        self._counts["safe_ticks"] += plan is None
        if self._last_tick is not None:
            self._counts["deadline_misses"] += 2 * (now - self._last_tick) > 3 * self._period
        self._last_tick = now
        for stamp, ages in zip((plan, state), self._ages.values(), strict=True):
            if stamp is not None:
                ages.append((now - stamp) / 1e9)

    def report(self, now: int, plans: int) -> dict[str, object]:
        """The counts so far, and ages in s and plans per second since the last report.

        Args:
          now: in ns.
          plans: how many have been made so far.

        Returns:
          Counts, mean and worst ages and the plan rate by name, without those that nothing is known of.
        """
        values: dict[str, object] = dict(self._counts)
        for name, ages in self._ages.items():
            if ages:
                values |= {name: f"{sum(ages) / len(ages):.4f}", f"{name}_max": f"{max(ages):.4f}"}
                ages.clear()
        if self._reported is not None and now > self._reported[0]:
            then, before = self._reported
            values["plan_rate"] = f"{1e9 * (plans - before) / (now - then):.2f}"
        self._reported = now, plans
        return values
