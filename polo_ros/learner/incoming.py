"""Experience that has arrived and waits for the next update."""

from collections import deque

import numpy as np

from polo_ros.arrays import Array

# of transitions: state (n, state_size), ctrl (n, nu), reward (n,), episode (n,)
COLUMNS = ("state", "ctrl", "reward", "episode")


class IncomingExperience:
    """Keeps transitions, as columns, until they are taken all at once. Callers guard it by a lock.

    Args:
      capacity: of the replay buffer: no more messages are kept while learning is paused; the oldest go.

    Attributes:
      accepted: whether it is known that the experience is of the learner's task and model.
    """

    def __init__(self, capacity: int) -> None:
        self.accepted = False
        self._messages: deque[dict[str, Array]] = deque(maxlen=capacity)

    def add(self, rows: dict[str, Array]) -> None:
        """Append transitions, as `COLUMNS`."""
        self._messages.append(rows)

    def accept(self, known: bool) -> None:
        """Set `accepted`; what is of another task or model is dropped."""
        self.accepted = known
        if not known:
            self._messages.clear()

    def __len__(self) -> int:
        return sum(len(rows["state"]) for rows in self._messages)

    def take(self) -> list[Array]:
        """All columns in their order, each as one array, so that features are computed in one call."""
        columns = [np.concatenate([rows[name] for rows in self._messages]) for name in COLUMNS]
        self._messages.clear()
        return columns
