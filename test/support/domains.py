"""ROS domains, one for each test at a time."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


def claim_domain() -> tuple[int, IO[str]]:
    """A ROS domain from 1 to 101 that no other test on this machine uses while the file is open."""
    folder = Path(tempfile.gettempdir()) / "polo_ros_domains"
    folder.mkdir(exist_ok=True)
    for offset in range(101):
        domain = 1 + (os.getpid() + offset) % 101
        file = (folder / str(domain)).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain, file
        except BlockingIOError:
            file.close()
    raise RuntimeError("all ROS domains from 1 to 101 are in use by tests")
