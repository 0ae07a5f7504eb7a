"""Bounded stores: the replay buffer of visited states and the set of labelled ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array, Mask


class Ring:
    """Rows of named columns, oldest out.

    Args:
      capacity: rows kept.
      columns: the shape of each column's entry.
    """

    def __init__(self, capacity: int, columns: Mapping[str, tuple[int, ...]]) -> None:
        self._columns = {name: np.zeros((capacity, *shape)) for name, shape in columns.items()}
        self.capacity = capacity
        self.added = 0
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def append(self, rows: Mapping[str, Array]) -> None:
        """Add rows, each column (n, ...); the oldest make room."""
        count = len(next(iter(rows.values())))
        where = (self.added + np.arange(count)) % self.capacity
        for name, column in self._columns.items():
            column[where] = rows[name]
        self.added += count
        self._held = min(self._held + count, self.capacity)

    def column(self, name: str) -> Array:
        """A column of the rows held, oldest first, (len, ...); a copy."""
        return self.rows(name, np.arange(self._held))

    def rows(self, name: str, ages: NDArray[np.int64]) -> Array:
        """Entries of a column by position from the oldest (0), same shape as `ages`, then the entry's."""
        values: Array = self._columns[name][(self.added - self._held + ages) % self.capacity]
        return values

    def dump(self) -> dict[str, Array]:
        """The rows held, to be given back to `restore`."""
        return {name: self.column(name) for name in self._columns}

    def fits(self, rows: Mapping[str, Array]) -> bool:
        """Whether dumped rows have these columns, so that `restore` can take them over."""
        return rows.keys() == self._columns.keys() and all(
            rows[name].shape[1:] == column.shape[1:] for name, column in self._columns.items()
        )

    def restore(self, rows: Mapping[str, Array], added: int) -> None:
        """Take over dumped rows; the newest stay where the capacity has become smaller."""
        self._held = 0
        self.added = added - len(next(iter(rows.values())))
        self.append(rows)


class ReplayBuffer(Ring):
    """The last visited states with their controls, rewards and episodes, in the order of the visits.

    Args:
      capacity: visits kept.
      state_size, nu: of the task.
      goal_size: how many of a state's last entries are its goal; a new goal breaks a run of visits as a
        new episode does, since what followed was earned for something else.
    """

    def __init__(self, capacity: int, state_size: int, nu: int, goal_size: int = 0) -> None:
        super().__init__(capacity, {"state": (state_size,), "ctrl": (nu,), "reward": (), "episode": ()})
        self._goal = slice(state_size - goal_size, state_size)

    @property
    def oldest(self) -> int:
        """The number of the oldest visit held, counted from the first one ever."""
        return self.added - self._held

    def unbroken(self, start: NDArray[np.int64], steps: int) -> Mask:
        """Whether the visit `steps` after each start is held and of the same episode and goal, (n,)."""
        later = np.minimum(start + steps, len(self) - 1)
        unbroken: Mask = self._same_run(start, later) & (start + steps < len(self))
        return unbroken

    def _same_run(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Mask:
        """Whether two visits are of one episode and served one goal, of the positions' shape."""
        goals = (self.rows("state", visits)[..., self._goal] for visits in (first, second))
        same: Mask = self.rows("episode", first) == self.rows("episode", second)
        return same & np.equal(*goals).all(axis=-1)

    def executed_rewards(self, start: NDArray[np.int64], steps: int) -> Array:
        """The rewards of the visits from each start on, (n, steps); the last one held is repeated."""
        return self.rows("reward", np.minimum(start[:, None] + np.arange(steps), len(self) - 1))

    def executed(self, start: NDArray[np.int64], steps: int) -> Array:
        """The controls that were executed from given visits on, (n, steps, nu).

        Where the episode, its goal or the buffer ends before that, the last control is held.

        Args:
          start: positions from the oldest visit.
          steps: how many.
        """
        start = np.minimum(start, len(self) - 1)
        wanted = np.minimum(start[:, None] + np.arange(steps), len(self) - 1)
        same = self._same_run(wanted, np.broadcast_to(start[:, None], wanted.shape))
        # the last step of the unbroken run; argmin finds the first break
        last = np.where(same.all(axis=1), steps - 1, np.argmin(same, axis=1) - 1)
        held = np.minimum(np.arange(steps), last[:, None])
        return self.rows("ctrl", np.take_along_axis(wanted, held, axis=1))
