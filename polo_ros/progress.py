"""Progress bars that suit a terminal and a log file alike."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

# between two lines of progress in a file, in s
LINE_PERIOD = 60.0
# what usually takes less shows no bar, in s
PATIENCE = 2.0


class _Lines:
    """A stream for tqdm in which each state of the bar is a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write what tqdm prints over itself as a line."""
        shown = text.strip("\r\n ")
        if shown:
            self._stream.write(f"{shown}\n")

    def flush(self) -> None:
        """Pass on."""
        self._stream.flush()


def progress_bar(total: int, description: str, unit: str, initial: int = 0, patience: float = 0.0) -> tqdm:
    """A bar with the time left on standard error: drawn over itself in a terminal, a line a minute in a file.

    Args:
      total: how many units there are.
      description: stands before the bar.
      unit: what is counted.
      initial: how many are done already.
      patience: the time in s before which nothing is shown; see `PATIENCE`.
    """
    options: dict[str, Any] = {"total": total, "initial": initial, "unit": unit, "desc": description}
    if patience:
        options |= {"delay": patience, "leave": False}
    if not sys.stderr.isatty():
        lines = _Lines(sys.stderr)
        options |= {"file": lines, "mininterval": LINE_PERIOD, "maxinterval": LINE_PERIOD, "ncols": 100}
    return tqdm(**options)
