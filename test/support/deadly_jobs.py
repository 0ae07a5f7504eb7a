"""A job for worker processes, which some jobs kill."""

import os
import signal
from pathlib import Path


def square(folder: Path, job: dict[str, object]) -> tuple[int, int]:
    """Number and square of a job, whose process dies before that as often as `deaths` says."""
    number, deaths = int(str(job["number"])), int(str(job["deaths"]))
    tries = len(list(folder.glob(f"{number}-*")))
    (folder / f"{number}-{tries}").write_text(str(os.getpid()))
    if tries < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return number, number * number
