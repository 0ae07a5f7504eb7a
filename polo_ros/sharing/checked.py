"""A weights file as it is shared: its bytes, checked against the task that they name."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.learner.origin import Origin, read_origin
from polo_ros.learner.tensors import parse_tensors
from polo_ros.learner.weights import checked_value
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks import task_classes


@dataclass(frozen=True)
class CheckedWeights:
    """Weights that fit their task.

    Attributes:
      content: the file as it is.
      metadata: its texts.
      value, origin: what it holds, and where that comes from.
      settings: of its task, with the model that it was trained with.
    """

    content: bytes
    metadata: dict[str, str]
    value: ValueEnsemble
    origin: Origin
    settings: Settings

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return hashlib.sha256(self.content).hexdigest()


def check_weights(
    content: bytes, task: str | None, settings_of: Callable[[str], Settings], what: str
) -> CheckedWeights:
    """Check a file before anything is done with it.

    Args:
      content: safetensors bytes; they are not trusted.
      task: the name or file of the task; None takes the one that the file names, if `polo tasks` lists it: a
        file from elsewhere must not choose which Python file is run.
      settings_of: gives the settings of a task.
      what: names the file in errors.

    Raises:
      PoloError: the bytes are no weights, or are of another task, model, control period or schema.
    """
    tensors, metadata = parse_tensors(content, what)
    origin = read_origin(metadata, what)
    if task is None:
        if origin.task not in task_classes():
            raise PoloError(
                f"{what} are of task {origin.task!r:.60}, which is not among `polo tasks`; "
                f"give the task's Python file with --task"
            )
        task = origin.task
    settings = settings_of(task)
    value, origin = checked_value(tensors, metadata, settings.task, None, what)
    return CheckedWeights(content, metadata, value, origin, settings)
