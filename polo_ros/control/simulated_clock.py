"""Simulated time against the wall clock, on an absolute schedule."""

import math

# a simulation that falls further behind than this many periods lets the time go
MOST_CATCH_UP = 10
# however long a period is, a changed real-time factor is heard of after this, in ns of wall time
LONGEST_WAIT = 100_000_000


class SimulatedClock:
    """Says how many control periods are due and how long until the next; lateness never adds up.

    Args:
      period: of control, in ns of simulated time.

    Attributes:
      late: periods that were let go.
    """

    def __init__(self, period: int) -> None:
        self.late = 0
        self._period = period
        self._factor = 1.0
        self._anchor: tuple[int, int] | None = None

    def restart(self) -> None:
        """Begin a new schedule at the next look, as after a pause."""
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
        if periods > MOST_CATCH_UP:
            self.late += periods - MOST_CATCH_UP
            self._anchor = wall, simulated + MOST_CATCH_UP * self._period
            return MOST_CATCH_UP
        return periods

    def wait(self, wall: int, simulated: int) -> int:
        """Wall time until the next period is due, in ns, at least 1."""
        since, begun = self._anchor or (wall, simulated)
        next_due = since + math.ceil((simulated + self._period - begun) / self._factor)
        return min(max(next_due - wall, 1), LONGEST_WAIT)
