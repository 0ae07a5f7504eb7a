"""Finding the files that are installed with the package, and writing files atomically."""

import contextlib
import functools
import importlib.util
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoints, entry_points
from itertools import pairwise
from pathlib import Path

from polo_ros.errors import PoloError

PACKAGE = "polo_ros"
# the entry points of other packages' tasks, and what a task's name ends with where it is a file
TASK_GROUP = "polo_ros.tasks"
TASK_SUFFIX = ".py"


def share_folders() -> list[Path]:
    """The folders that may hold the package's files, in order of preference.

    What belongs to this code comes first: its source tree, or the colcon or pip installation that it lies in.
    Other installations on AMENT_PREFIX_PATH may be of another version.
    """
    code = Path(__file__).resolve()
    source = code.parent.parent
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    colcon = [Path(prefix) / "share" / PACKAGE for prefix in prefixes if prefix]
    own = [folder for folder in colcon if code.is_relative_to(folder.parent.parent.resolve())]
    pip = Path(sys.prefix) / "share" / PACKAGE
    if (source / "package.xml").is_file():
        own.insert(0, source)
    elif code.is_relative_to(Path(sys.prefix).resolve()):
        own.append(pip)
    return list(dict.fromkeys([*own, *colcon, source, pip]))


def share_path(*parts: str) -> Path:
    """The path of a file or folder that comes with the package; other versions of it are warned of once.

    Raises:
      PoloError: no installation of the package holds it.
    """
    folders = share_folders()
    found = [path for path in (folder.joinpath(*parts) for folder in folders) if path.exists()]
    if not found:
        raise PoloError(
            f"{'/'.join(parts)} is in none of {', '.join(map(str, folders))}; "
            f"install {PACKAGE} with its data files (pip install or colcon build)"
        )
    for other in found[1:]:
        if other.is_file() and other.read_bytes() != found[0].read_bytes():
            _warn_of(other, found[0])
    return found[0]


@functools.cache
def _warn_of(other: Path, used: Path) -> None:
    """Warn, once for each pair, of a file that another installation has in another version."""
    logging.getLogger(PACKAGE).warning(
        "%s is used; %s of another installation differs: build or source it anew, or take it off "
        "AMENT_PREFIX_PATH",
        used,
        other,
    )


def config_path(task: str) -> Path | None:
    """The parameter file of a task; None where there is none, which is logged if the task exists.

    The file of a task of this package is config/<task>.yaml, or that of its family: config/pointmass.yaml is
    that of pointmass_box and pointmass_maze. Any other task has it beside its Python file, with the same name
    or that of the task.

    Args:
      task: name of a task, or the path of a Python file that holds one.
    """
    if task.endswith(TASK_SUFFIX):
        beside = [Path(task).absolute().with_suffix(".yaml")]
    else:
        words = task.split("_")
        for count in range(len(words), 0, -1):
            name = f"{'_'.join(words[:count])}.yaml"
            if any((folder / "config" / name).is_file() for folder in share_folders()):
                return share_path("config", name)
        file = _entry_point_file(task)
        beside = [file.with_suffix(".yaml"), file.with_name(f"{task}.yaml")] if file else []
    for path in beside:
        if path.is_file():
            return path
    if beside:  # otherwise there is no such task, which is an error where it is loaded
        _log_defaults(task, beside[0])
    return None


def task_entry_points() -> EntryPoints:
    """The entry points by which other packages register tasks."""
    return _entry_points_on(tuple(sys.path))


@functools.cache
def _entry_points_on(path: tuple[str, ...]) -> EntryPoints:
    """Those of the packages on a path; every call reads the metadata of all packages."""
    return entry_points(group=TASK_GROUP)


def _entry_point_file(task: str) -> Path | None:
    """The Python file of a task of another package, found without importing it; None where there is none."""
    for entry_point in task_entry_points().select(name=task):
        with contextlib.suppress(ImportError, ValueError):  # a broken one is reported where it is loaded
            spec = importlib.util.find_spec(entry_point.module)
            if spec is not None and spec.origin is not None:
                return Path(spec.origin)
    return None


@functools.cache
def _log_defaults(task: str, path: Path) -> None:
    """Log, once for each task, that all parameters have their defaults."""
    logging.getLogger(PACKAGE).warning(
        "task %s has no parameter file: all parameters have their defaults; %s would replace them", task, path
    )


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
