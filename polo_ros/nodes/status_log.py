"""What a node writes to its log: each change of its status once, and a summary every now and then."""

import re
import time
from collections.abc import Callable
from typing import Protocol

from polo_ros.control.status import Level, Status

# between two summaries, in s
SUMMARY_PERIOD_S = 10.0
# sentences that differ in their numbers alone are logged so often …
REPETITIONS = 5
# … within so long, in s
REPETITION_PERIOD_S = 10.0
# a status that recurs is logged once within this time, in s
STATUS_PERIOD_S = 3.0
# kinds of sentences that are remembered: what comes in messages may be in them
REMEMBERED = 1000


class Logger(Protocol):
    """The methods of rclpy's logger that are used."""

    def info(self, message: str) -> object:
        """Log at INFO."""

    def warning(self, message: str) -> object:
        """Log at WARN."""

    def error(self, message: str) -> object:
        """Log at ERROR."""


def without_numbers(sentence: str) -> str:
    """A sentence without its numbers, which is equal for repetitions with other figures."""
    return re.sub(r"[-+]?\d[\d.e+-]*", "#", sentence)


class StatusLog:
    """Writes sentences and statuses to a log, none of them many times a second.

    Args:
      logger: of the node.
      counted: the status value that counts the node's work, and its unit; two empty strings for none.
      summarised: further status values for the summary.
      clock: in s, monotonic.
    """

    def __init__(
        self,
        logger: Logger,
        counted: tuple[str, str] = ("", ""),
        summarised: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._counter, self._unit = counted
        self._summarised = summarised
        self._clock = clock
        self._logged: dict[str, list[float]] = {}
        self._told = ""
        self._last: tuple[float, float] | None = None
        self._last_summary = (clock(), 0.0)

    def write(
        self, level: Level, sentence: str, times: int = REPETITIONS, period: float = REPETITION_PERIOD_S
    ) -> bool:
        """Log a sentence unless it, numbers aside, was logged so many times within a period in s.

        Returns:
          Whether it was logged.
        """
        now, kind = self._clock(), without_numbers(sentence)
        recent = [at for at in self._logged.get(kind, []) if now - at < period]
        if len(recent) >= times:
            return False
        if len(self._logged) >= REMEMBERED:
            self._logged.clear()
        self._logged[kind] = [*recent, now]
        # rclpy wants one severity at each place that logs
        if level is Level.OK:
            self._logger.info(sentence)
        elif level is Level.WARN:
            self._logger.warning(sentence)
        else:
            self._logger.error(sentence)
        return True

    def add(self, status: Status) -> None:
        """Log a status where its text is new, and the summary where it is due; to be called once a second."""
        now, count = self._clock(), float(str(status.values.get(self._counter, 0)))
        since, before = self._last or (now, count)
        self._last = now, count
        # the first unit of work also changes the summary
        kind = f"{without_numbers(status.text)} {status.level is Level.OK and count > 0}"
        if kind != self._told:
            rate = (count - before) / (now - since) if now > since else 0.0
            text = self._summary(status, rate) if status.level is Level.OK else status.text
            if self.write(status.level, text, 1, STATUS_PERIOD_S):
                self._told = kind
                self._last_summary = now, count
        since, before = self._last_summary
        if now - since >= SUMMARY_PERIOD_S:
            self._last_summary = now, count
            self._logger.info(self._summary(status, (count - before) / (now - since)))

    def _summary(self, status: Status, rate: float) -> str:
        """The summary in one line."""
        parts = [status.text]
        if self._counter in status.values:
            parts.append(f"{rate:.1f} {self._unit}/s")
        parts += [f"{key} {status.values[key]}" for key in self._summarised if key in status.values]
        return ", ".join(parts)
