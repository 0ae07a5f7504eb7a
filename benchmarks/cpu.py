"""CPU time of other processes, and of the machine."""

import os
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
