"""Finding the files that are installed with the package, and writing files atomically."""

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from polo_ros.errors import PoloError

PACKAGE = "polo_ros"


def share_folders() -> list[Path]:
    """The folders that may hold the package's files, in order of preference: colcon, source tree, pip."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    colcon = [Path(prefix) / "share" / PACKAGE for prefix in prefixes if prefix]
    source = Path(__file__).resolve().parent.parent
    return [*colcon, source, Path(sys.prefix) / "share" / PACKAGE]


def share_path(*parts: str) -> Path:
    """The path of a file or folder that comes with the package.

    Raises:
      PoloError: no installation of the package holds it.
    """
    folders = share_folders()
    for folder in folders:
        path = folder.joinpath(*parts)
        if path.exists():
            return path
    raise PoloError(
        f"{'/'.join(parts)} is in none of {', '.join(map(str, folders))}; "
        f"install {PACKAGE} with its data files (pip install or colcon build)"
    )


def config_path(task: str) -> Path:
    """The parameter file of a task: config/<task>.yaml, or that of its family.

    A family's file has the task's name without its last words: config/pointmass.yaml is that of
    pointmass_box and pointmass_maze.

    Raises:
      PoloError: the task has no parameter file.
    """
    words = task.split("_")
    names = [f"{'_'.join(words[:count])}.yaml" for count in range(len(words), 0, -1)]
    for name in names:
        for folder in share_folders():
            if (folder / "config" / name).is_file():
                return folder / "config" / name
    raise PoloError(f"task {task} has no parameter file; config/ holds none of {', '.join(names)}")


def write_atomically(path: Path, content: bytes, previous: Sequence[Path] = ()) -> None:
    """Write a file so that a reader, a crash or a full disk finds the old one or the new one whole.

    Args:
      path: of the file.
      content: all of it.
      previous: where the old file and those before it are kept, the newest first; the oldest is lost.

    Raises:
      PoloError: the file could not be written; the old one is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _shift(path, previous)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise PoloError(
            f"{path} could not be written ({error.strerror}); the previous file is untouched"
        ) from None


def _shift(path: Path, previous: Sequence[Path]) -> None:
    """Move each previous file one place on; the file itself stays, with a copy in the first place."""
    for newer, older in reversed(list(pairwise(previous))):
        if newer.exists():
            os.replace(newer, older)
    if previous and path.exists():
        try:
            os.link(path, previous[0])
        except OSError:  # a file system without links
            shutil.copyfile(path, previous[0])
