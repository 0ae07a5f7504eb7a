"""Value functions that arrive from outside: newer ones are taken, all others refused by name."""

from polo_ros.errors import PoloError
from polo_ros.learner.weights import Origin, decode_value, load_value
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task


class ReceivedWeights:
    """Checks weights against a task and against the last good ones.

    Args:
      task: what the values must be about.

    Attributes:
      origin: of the last good weights; None before any.
      refused: how many were not good.
    """

    def __init__(self, task: Task) -> None:
        self.origin: Origin | None = None
        self.refused = 0
        self._task = task

    def load(self, file: str) -> ValueEnsemble:
        """Read weights from a file, as `load_value` does.

        Raises:
          PoloError: there is no such file, or its weights do not fit the task.
        """
        value, self.origin = load_value(file, self._task)
        return value

    def receive(self, content: bytes) -> ValueEnsemble:
        """Decode weights as they arrive.

        Raises:
          PoloError: they do not fit the task, or are older than the last good ones.
        """
        try:
            value, origin = decode_value(content, self._task)
            known = self.origin
            if known and (origin.epoch, origin.sequence) < (known.epoch, known.sequence):
                raise PoloError(
                    f"weights {origin.sequence} of epoch {origin.epoch} are older than the present "
                    f"{known.sequence} of epoch {known.epoch}"
                )
        except PoloError as error:
            self.refused += 1
            raise PoloError(f"{error}; the last good weights stay") from None
        self.origin = origin
        return value

    def values(self) -> dict[str, object]:
        """What /diagnostics shows of them."""
        found: dict[str, object] = {"refused_weights": self.refused}
        if self.origin is not None:
            found |= {"weights_sequence": self.origin.sequence, "weights_epoch": self.origin.epoch}
        return found
