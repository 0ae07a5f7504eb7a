"""CPU time of other processes, and of the machine."""

import os
import time
from contextlib import suppress
from pathlib import Path


def cpu_seconds(process: int) -> float:
    """The CPU time that a process has had so far, in s, that of threads that have ended included."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """The time that the machine's cores have not been idle so far, summed over them, in s."""
    # of all cores: user, nice, system, idle, waiting, interrupts, soft interrupts, stolen
    ticks = [int(count) for count in Path("/proc/stat").read_text().split()[1:9]]
    return (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK")


def descendants(process: int) -> list[int]:
    """A process and all that come from it."""
    found = [process]
    with suppress(OSError):  # it has just ended
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
    return found


class OtherPrograms:
    """What other programs take of the machine from now on, which makes a measurement void."""

    def __init__(self) -> None:
        self._began, self._taken = time.monotonic(), self._others()

    def percent(self) -> float:
        """CPU time in percent of a core; what this program has started, and not ended, is not counted."""
        return 100 * (self._others() - self._taken) / (time.monotonic() - self._began)

    def _others(self) -> float:
        own = 0.0
        for process in descendants(os.getpid()):
            with suppress(OSError):  # it has just ended
                own += cpu_seconds(process)
        return busy_seconds() - own
