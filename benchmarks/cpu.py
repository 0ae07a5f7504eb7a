"""CPU time of other processes."""

import os
from pathlib import Path


def cpu_seconds(process: int) -> float:
    """The CPU time that a process has had so far, in s, that of threads that have ended included."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
