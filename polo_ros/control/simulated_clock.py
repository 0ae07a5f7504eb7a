"""Simulated time against the wall clock."""

import math

# a simulation that falls further behind than this many periods drops the rest
MAX_CATCH_UP_PERIODS = 10
# the longest wait, in ns of wall time: a changed real-time factor acts after this, however long a period is
MAX_WAIT_NS = 100_000_000


class SimulatedClock:
    """Says how many control periods are due and how long until the next one, on an absolute schedule.

    A period that is stepped late does not delay the following ones.

    Args:
      period: of control, in ns of simulated time.

    Attributes:
      late: periods that were dropped.
    """

    def __init__(self, period: int) -> None:
        self.late = 0
        self._period = period
        self._factor = 1.0
        self._anchor: tuple[int, int] | None = None

    def restart(self) -> None:
        """Begin a new schedule at the next call of `due`, as after a pause."""
        self._anchor = None

    def due(self, wall: int, simulated: int, factor: float) -> int:
        """The number of periods to step now.

        Args:
          wall: by a monotonic clock, in ns.
          simulated: the time so far, in ns.
          factor: simulated seconds per second; another one begins a new schedule.
        """
        if self._anchor is None or factor != self._factor:
            self._anchor, self._factor = (wall, simulated), factor
            return 0
        since, begun = self._anchor
        periods = (begun + int((wall - since) * factor) - simulated) // self._period
        if periods > MAX_CATCH_UP_PERIODS:
            self.late += periods - MAX_CATCH_UP_PERIODS
            self._anchor = wall, simulated + MAX_CATCH_UP_PERIODS * self._period
            return MAX_CATCH_UP_PERIODS
        return periods

    def wait(self, wall: int, simulated: int) -> int:
        """Wall time until the next period is due, in ns, at least 1."""
        since, begun = self._anchor or (wall, simulated)
        next_due = since + math.ceil((simulated + self._period - begun) / self._factor)
        return min(max(next_due - wall, 1), MAX_WAIT_NS)
