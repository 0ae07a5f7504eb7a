"""Value functions from files and messages: good ones are taken, all others are refused by name."""

from collections import deque

from polo_ros.errors import PoloError
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import decode_value, load_value
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task

# runs that a later one has replaced and that are remembered to be refused
REMEMBERED_RUNS = 64


class ReceivedWeights:
    """Checks weights against a task and against the last good ones.

    Weights of one learner run are ordered by their sequence. Runs are told apart by their epochs, which have
    no order: the first weights of another run replace those of the last one, and later weights of a replaced
    run are refused, so that two learners on one topic do not take turns.

    Args:
      task: what the values must be about.
      discount: γ of the planner. It does not matter while the task pays no rewards: then values are all that
        a plan adds up.

    Attributes:
      origin: of the last good weights; None before any.
      refused: the number of refused weights.
      warning: how the reward of the last good weights differs from the planner's; empty if it does not.
    """

    def __init__(self, task: Task, discount: float | None = None) -> None:
        self.origin: Origin | None = None
        self.refused = 0
        self.warning = ""
        self._task = task
        self._discount = discount
        self._replaced: deque[int] = deque(maxlen=REMEMBERED_RUNS)

    def load(self, file: str) -> ValueEnsemble:
        """Read weights from a file, as `load_value` does.

        Raises:
          PoloError: there is no such file, or its weights do not fit the task.
        """
        value, origin = load_value(file, self._task, self._required_discount())
        self._take(origin)
        return value

    def receive(self, content: bytes) -> ValueEnsemble:
        """Decode weights from a message.

        Raises:
          PoloError: they do not fit the task, are older than the last good ones of the same run, or are of a
            run that another one has replaced.
        """
        try:
            value, origin = decode_value(content, self._task, self._required_discount())
            self._check_order(origin)
        except PoloError as error:
            self.refused += 1
            raise PoloError(f"{error}; the last good weights stay") from None
        self._take(origin)
        return value

    def _required_discount(self) -> float | None:
        return self._discount if any(self._task.weights.values()) else None

    def _check_order(self, origin: Origin) -> None:
        known = self.origin
        if origin.epoch in self._replaced:
            raise PoloError(
                f"the weights are of learner run {origin.epoch}, which run "
                f"{known.epoch if known else 0} has replaced; stop one of the two learners"
            )
        if known and origin.epoch == known.epoch and origin.sequence < known.sequence:
            raise PoloError(
                f"weights {origin.sequence} of epoch {origin.epoch} are older than the present "
                f"{known.sequence} of that epoch"
            )

    def _take(self, origin: Origin) -> None:
        if self.origin is not None and origin.epoch != self.origin.epoch:
            self._replaced.append(self.origin.epoch)
        self.origin = origin
        difference = origin.reward_difference(self._task.weights)
        self.warning = ""
        if difference:
            self.warning = f"the value function was trained with other reward weights: {difference}"

    def values(self) -> dict[str, object]:
        """What /diagnostics shows of them."""
        found: dict[str, object] = {"refused_weights": self.refused}
        if self.origin is not None:
            found |= {"weights_sequence": self.origin.sequence, "weights_epoch": self.origin.epoch}
        if self.warning:
            found["weights_warning"] = self.warning
        return found
