"""How long after its state a plan must start."""

import math
from collections import deque

# number of past plans whose planning times are kept
PLANS_KEPT = 20
# quantile of the kept planning times that a plan is given
QUANTILE = 0.9
# largest look-ahead, in ns
MAX_LOOK_AHEAD_NS = 500_000_000
# plans further apart than this, in ns, are left out of the clocks' ratio: the simulation may have been paused
PAUSE_NS = 5_000_000_000


class LatencyEstimate:
    """How long after its state a plan must start, so that it is ready by then nine times out of ten.

    Planning times are measured by a monotonic clock. In simulated time they are scaled by how fast that ran
    lately. Used by one thread.

    Args:
      period: of control, in ns.
      resolution: of the clock that stamps the states, in ns: a simulated one advances by whole periods.
    """

    def __init__(self, period: int, resolution: int = 0) -> None:
        self._period = period
        self._resolution = resolution
        self._began: tuple[int, int] | None = None
        # time from one plan's beginning to the next one's, by either clock
        self._strides: deque[tuple[int, int]] = deque(maxlen=PLANS_KEPT)
        self._spans: deque[int] = deque(maxlen=PLANS_KEPT)

    def begin(self, wall: int, now: int) -> None:
        """A plan begins, at a time by the monotonic and the states' clock, in ns."""
        if self._began is not None:
            stride = wall - self._began[0], now - self._began[1]
            if stride[0] < PAUSE_NS and stride[1] >= 0:
                self._strides.append(stride)
        self._began = wall, now

    def end(self, wall: int) -> None:
        """The plan is ready, by the monotonic clock, in ns."""
        assert self._began is not None
        self._spans.append(wall - self._began[0])

    def interrupt(self) -> None:
        """The states' clock has jumped: the time across the jump does not count."""
        self._began = None

    def periods(self, age: int, waited: int = 0) -> int:
        """Control periods from a state to the start of the plan that is now being made from it.

        Args:
          age: of the state by its stamp, in ns.
          waited: time since the state was received by the monotonic clock, in ns: a simulated clock
            shows no age before a whole period is over.
        """
        ratio, taken = self._clock_ratio(), 0
        if self._spans:
            taken = sorted(self._spans)[math.ceil(QUANTILE * (len(self._spans) - 1))]
        needed = max(age, waited * ratio) + taken * ratio
        return min(math.ceil(needed / self._period), MAX_LOOK_AHEAD_NS // self._period)

    def _clock_ratio(self) -> float:
        """Time of the states' clock per monotonic time, at most."""
        wall = sum(stride[0] for stride in self._strides)
        clock = sum(stride[1] for stride in self._strides)
        return (clock + self._resolution) / wall if wall else 1.0
