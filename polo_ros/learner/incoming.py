"""Experience that has arrived and waits for the next update."""

import itertools
from collections import defaultdict, deque

import numpy as np

from polo_ros.arrays import Array

# of transitions: state (n, state_size), ctrl (n, nu), reward (n,), episode (n,)
COLUMNS = ("state", "ctrl", "reward", "episode")
# the number of a stream, and transitions
Message = tuple[int, dict[str, Array]]


class IncomingExperience:
    """Keeps transitions, as columns, until they are taken all at once. Callers guard it by a lock.

    A source is a robot, by any name. What it sends counts once the source has been accepted. When it is
    accepted again a new stream begins (`ReplayBuffer`): the robot need not go on from where it was.

    Args:
      capacity: of the replay buffer: no more messages of a source are kept while learning is paused; the
        oldest go.
    """

    def __init__(self, capacity: int) -> None:
        self._streams = itertools.count()
        # of each source the number of its present stream
        self._stream: dict[str, int] = defaultdict(lambda: next(self._streams))
        self._accepted: set[str] = set()
        self._messages: dict[str, deque[Message]] = defaultdict(lambda: deque(maxlen=capacity))

    def add(self, rows: dict[str, Array], source: str) -> None:
        """Append transitions of a source, as `COLUMNS`."""
        self._messages[source].append((self._stream[source], rows))

    def accept(self, known: bool, source: str) -> None:
        """Whether a source is known to be of the learner's task and model; what is of another is dropped."""
        if source in self._accepted or not known:
            self._stream.pop(source, None)
        if known:
            self._accepted.add(source)
        else:
            self._accepted.discard(source)
            self._messages.pop(source, None)

    def __len__(self) -> int:
        """The number of accepted transitions."""
        return sum(len(rows["reward"]) for source in self._accepted for _, rows in self._messages[source])

    def take(self) -> tuple[list[Array], Array]:
        """All accepted transitions; one array a column, so that features are computed in one call.

        Returns:
          The columns in their order, and the stream of each transition, (n,).
        """
        taken = [message for source in sorted(self._accepted) for message in self._messages[source]]
        for source in self._accepted:
            self._messages[source].clear()
        columns = [np.concatenate([rows[name] for _, rows in taken]) for name in COLUMNS]
        return columns, np.concatenate(
            [np.full(len(rows["reward"]), float(stream)) for stream, rows in taken]
        )
