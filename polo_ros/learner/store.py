"""Loading and saving a learner's state."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint_file import CheckpointFile
from polo_ros.learner.weights import load_value, package_file

if TYPE_CHECKING:
    from polo_ros.learner.learner import Learner

# success and a sentence
Answer = tuple[bool, str]


class LearnerStore:
    """Loads a learner from its checkpoint or from weights, and saves it.

    A learner whose values have exploded never overwrites its checkpoint, nor does one overwrite a file that
    it has not read or written; both save beside it (`CheckpointFile`). Used by one thread at a time.

    Args:
      checkpoint: file to resume from and to save to; None keeps nothing.
      weights_file: value function to start from without a checkpoint; empty for a fresh one.
      info, warn, error: take a sentence for the log.

    Attributes:
      unsound: why the learner's state must not replace the checkpoint, as a word of the other file's name;
        empty where it may.
      saved_at: when it was saved last or the store was made, by the monotonic clock, in s.
    """

    def __init__(
        self,
        checkpoint: Path | None,
        weights_file: str,
        info: Callable[[str], object],
        warn: Callable[[str], object],
        error: Callable[[str], object],
    ) -> None:
        self.unsound = ""
        self.saved_at = time.monotonic()
        self._checkpoint = CheckpointFile(checkpoint) if checkpoint is not None else None
        self._weights_file = weights_file
        self._info, self._warn, self._error = info, warn, error

    @property
    def keeps(self) -> bool:
        """Whether there is a file to save to."""
        return self._checkpoint is not None

    def resume(self, learner: "Learner", reward_weights: Mapping[str, float]) -> None:
        """Give a new learner what it starts from, its checkpoint before the weights, and those as its anchor.

        Raises:
          PoloError: a file that cannot be used.
        """
        if self._weights_file and learner.config.anchor:
            learner.anchor_to(load_value(self._weights_file, learner.task, learner.config.discount)[0])
        if self._checkpoint is not None and self._checkpoint.exists():
            self._read(learner, self._checkpoint, reward_weights)
            self._info(f"resumed from {self._checkpoint.path} at update {learner.sequence}")
        elif self._weights_file:
            self._load(learner, package_file(self._weights_file), reward_weights)

    def load(self, learner: "Learner", reward_weights: Mapping[str, float]) -> Answer:
        """Go back to the checkpoint; a learner that cannot is left as it is."""
        if self._checkpoint is None:
            return False, "checkpoint_path is empty; set it to a file"
        try:
            self._read(learner, self._checkpoint, reward_weights)
        except PoloError as error:
            return False, str(error)
        self.unsound = ""
        return True, f"loaded update {learner.sequence} from {self._checkpoint.path}"

    def save(self, learner: "Learner", epoch: int) -> Answer:
        """Write the checkpoint, or a file beside it.

        Args:
          learner: saved.
          epoch: identity of the learner's run.
        """
        if self._checkpoint is None:
            return False, "checkpoint_path is empty, so that nothing is kept; set it to a file"
        self.saved_at = time.monotonic()
        try:
            path = self._checkpoint.write(learner.dump(epoch), self.unsound)
        except PoloError as error:
            self._error(str(error))
            return False, str(error)
        if path != self._checkpoint.path:
            self._warn(f"{self._checkpoint.path} stays as it is; this learner's state is in {path}")
        return True, f"saved update {learner.sequence} to {path}"

    def _read(
        self, learner: "Learner", checkpoint: CheckpointFile, reward_weights: Mapping[str, float]
    ) -> None:
        identity = checkpoint.identity()
        self._load(learner, checkpoint.path, reward_weights)
        checkpoint.accept(identity)

    def _load(self, learner: "Learner", path: Path, reward_weights: Mapping[str, float]) -> None:
        """Load a file, and warn where it differs from the settings in what does not prevent its use."""
        configured = learner.config.prior_scale
        loaded = learner.load(path)
        difference = loaded.origin.reward_difference(reward_weights)
        if difference:
            self._warn(f"{loaded.what} were trained with other reward weights: {difference}")
        if loaded.value.prior_scale != configured:
            self._warn(f"prior_scale {loaded.value.prior_scale:g} of {loaded.what} replaces {configured:g}")
