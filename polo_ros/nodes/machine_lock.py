"""Locks among the processes of one user on one machine; they need no discovery and end with their process."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from pathlib import Path

# how long a process needs at most from taking the lock to writing its content, in s
WRITING_S = 0.5


class MachineLock:
    """Held by the first process that takes it, until that process ends.

    Args:
      name: what is locked.
      content: what others read of the holder.

    Attributes:
      holder: the content of the process that holds it; empty where it is this one.

    Raises:
      OSError: there is no place for the lock's file.
    """

    def __init__(self, name: str, content: str) -> None:
        folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"polo_ros-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._file = (folder / name.replace("/", "-")).open("a+")
        self.holder = ""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.holder = self._read()
            return
        self._file.truncate(0)
        self._file.write(content)
        self._file.flush()

    def _read(self) -> str:
        """The holder's content."""
        end = time.monotonic() + WRITING_S
        while time.monotonic() < end:
            self._file.seek(0)
            content = self._file.readline()
            if content:
                return content
            time.sleep(0.01)
        return "a process that has just started"
