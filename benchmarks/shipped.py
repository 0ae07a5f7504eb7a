"""The parameter files that ship with the tasks."""

from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.files import config_path


def params_file(task: str) -> Path:
    """The parameter file of a task.

    Raises:
      PoloError: it has none.
    """
    path = config_path(task)
    if path is None:
        raise PoloError(f"task {task} has no parameter file; benchmarks run tasks that ship with one")
    return path
