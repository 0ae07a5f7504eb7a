"""Tasks by name: those of this package, found by its modules, and those that other packages register.

A new task of this package is one new file. Another package registers a task by an entry point in the group
`polo_ros.tasks`: the entry point's name is the task's name, its value is the class.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from polo_ros.errors import PoloError
from polo_ros.tasks.task import Task

ENTRY_POINT_GROUP = "polo_ros.tasks"

T = TypeVar("T")


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
      PoloError: a task of another package cannot be imported.
    """
    package = sys.modules["polo_ros.tasks"]
    # mypy does not accept an abstract class as type[T]
    own = concrete_classes(package, Task)  # type: ignore[type-abstract]
    found: dict[str, type[Task]] = {member.name: member for member in own}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found[entry_point.name] = entry_point.load()
        except Exception as error:  # the import of another package may raise anything
            raise PoloError(
                f"task '{entry_point.name}' ({entry_point.value}) could not be loaded: {error}; "
                f"mend or uninstall the package that offers it"
            ) from error
    return dict(sorted(found.items()))


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Raises:
      PoloError: no task has that name.
    """
    classes = task_classes()
    if name not in classes:
        raise PoloError(f"there is no task '{name}'; known are {', '.join(classes)}")
    return classes[name]


def make_task(name: str, model_path: str | Path = "", torque_scale: float = 1.0) -> Task:
    """A task by name; the other arguments are those of `Task`.

    Raises:
      PoloError: no task has that name, or its model does not fit.
    """
    return task_class(name)(model_path, torque_scale)
