"""Tasks by name: those of this package, found by its modules, and those that other packages register.

A new task of this package is one new file. Another package registers a task by an entry point in the group
`polo_ros.tasks`: the entry point's name is the task's name, its value is the class. A task may also be a file
anywhere, named by its path.
"""

import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from polo_ros.errors import PoloError, nearest
from polo_ros.files import TASK_SUFFIX, task_entry_points
from polo_ros.parameters.schema import build
from polo_ros.tasks.task import Task
from polo_ros.tasks.validation import check_class

T = TypeVar("T")
# how the names of modules begin that were imported from a task's file
FILE_MODULE = "polo_ros_task_"


def concrete_classes(package: ModuleType, base: type[T]) -> Iterator[type[T]]:
    """Every subclass of `base` in the modules of a package that is not abstract; imports the modules."""
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, base) and not inspect.isabstract(member):
                yield member


def task_classes() -> dict[str, type[Task]]:
    """Every registered task class by name, in the order of the names.

    Raises:
      PoloError: a task of another package cannot be imported, or lacks an attribute.
    """
    package = sys.modules["polo_ros.tasks"]
    # mypy does not accept an abstract class as type[T]
    own = concrete_classes(package, Task)  # type: ignore[type-abstract]
    found: dict[str, type[Task]] = {member.name: member for member in own}
    for entry_point in task_entry_points():
        try:
            found[entry_point.name] = entry_point.load()
            check_class(found[entry_point.name])
        except Exception as error:  # the import of another package may raise anything
            raise PoloError(
                f"task '{entry_point.name}' ({entry_point.value}) could not be loaded: {error}; "
                f"mend or uninstall the package that offers it"
            ) from error
    return dict(sorted(found.items()))


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Args:
      name: of a registered task, or the path of a Python file that holds one.

    Raises:
      PoloError: no task has that name, or the file holds no task or several.
    """
    if name.endswith(TASK_SUFFIX):
        return class_in_file(Path(name).absolute())
    classes = task_classes()
    if name not in classes:
        raise PoloError(f"there is no task '{name}'{nearest(name, classes)}")
    return classes[name]


@functools.cache
def class_in_file(path: Path) -> type[Task]:
    """The one task class that a Python file defines; the file is imported once.

    Raises:
      PoloError: the file is missing, fails when it is imported, holds no task or several, or one that lacks
        an attribute.
    """
    if not path.is_file():
        raise PoloError(f"there is no task file {path}")
    # the folder is part of the module's name, since tasks of different folders may share a file name
    name = f"{FILE_MODULE}{path.stem}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look up the module by its name
    try:
        spec.loader.exec_module(module)
    except PoloError:
        raise
    except (Exception, SystemExit) as error:  # somebody's file may raise anything
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise PoloError(
            f"task file {path} failed to import: {type(error).__name__}: {error} "
            f"({Path(line.filename).name}, line {line.lineno})"
        ) from error
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Task) and not inspect.isabstract(member) and member.__module__ == name
    ]
    if len(found) != 1:
        names = ", ".join(one.__name__ for one in found) or "none"
        raise PoloError(f"task file {path} must define one task class with all its methods; it has {names}")
    check_class(found[0])
    return found[0]


def make_task(
    name: str,
    model_path: str | Path = "",
    torque_scale: float = 1.0,
    setup: Mapping[str, Any] | None = None,
) -> Task:
    """A task by name.

    Args:
      name: as for `task_class`.
      model_path, torque_scale: see `Task`.
      setup: values of fields of the task's `setup_type`; the others take their defaults.

    Raises:
      PoloError: no task has that name, a value of the setup is unknown or out of range, or the model does not
        fit.
    """
    cls = task_class(name)
    return cls(model_path, torque_scale, build(cls.setup_type, setup or {}))
