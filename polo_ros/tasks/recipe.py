"""How to make a task again in another process, on this machine or another one."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import values_of
from polo_ros.tasks.registry import FILE_MODULE, make_task, task_classes
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class TaskRecipe:
    """The arguments of `make_task`, and the hash that the model must have.

    Attributes:
      name: of a registered task, or the absolute path of a task's file.
      model_path: absolute where it is a file.
      torque_scale, setup: see `make_task`.
      model_hash: see `Task.model_hash`.
    """

    name: str
    model_path: str
    torque_scale: float
    setup: Mapping[str, Any]
    model_hash: str

    @staticmethod
    def of(task: Task) -> "TaskRecipe":
        """The recipe of a task that `make_task` has made.

        Raises:
          PoloError: its class has no name by which another process could find it.
        """
        cls = type(task)
        if cls.__module__.startswith(FILE_MODULE):
            name = str(sys.modules[cls.__module__].__file__)
        else:
            names = [name for name, known in task_classes().items() if known is cls]
            if not names:
                raise PoloError(
                    f"task {cls.name} can only be made in this process; register its class, or give its file"
                )
            name = names[0]
        path = Path(task.model_path)
        model_path = str(path.absolute()) if path.is_file() else str(task.model_path)
        return TaskRecipe(name, model_path, task.torque_scale, values_of(task.setup), task.model_hash())

    def make(self) -> Task:
        """The task.

        Raises:
          PoloError: it cannot be made here, or its model is another one.
        """
        task = make_task(self.name, self.model_path, self.torque_scale, self.setup)
        if task.model_hash() != self.model_hash:
            raise PoloError(
                f"the model of task {self.name} has the hash {task.model_hash()} here, not "
                f"{self.model_hash}; install the same version of the package and the same model files"
            )
        return task
