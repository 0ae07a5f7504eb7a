"""Tasks by name: the package's own and those of other packages.

A package adds tasks by an entry point in the group `polo_ros.tasks`, whose name is the task's name and
whose value is the class. The package's own tasks are found by their modules, so that a new task is one
new file here and changes none.
"""

import sys
from importlib.metadata import entry_points
from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.tasks.discovery import concrete_classes
from polo_ros.tasks.task import Feature, Measure, RewardTerm, Task, View

ENTRY_POINT_GROUP = "polo_ros.tasks"

__all__ = ["Feature", "Measure", "RewardTerm", "Task", "View", "make_task", "task_class", "task_classes"]


def task_classes() -> dict[str, type[Task]]:
    """Every task class that can be found, by name.

    Raises:
      PoloError: a task of another package cannot be imported.
    """
    # mypy takes an abstract class for no type: the abstract base is what is asked for here
    own = concrete_classes(sys.modules[__name__], Task)  # type: ignore[type-abstract]
    found: dict[str, type[Task]] = {member.name: member for member in own}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found[entry_point.name] = entry_point.load()
        except Exception as error:  # another package's import may fail in any way
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
    """A task by name.

    Raises:
      PoloError: no task has that name, or its model does not fit.
    """
    return task_class(name)(model_path, torque_scale)
