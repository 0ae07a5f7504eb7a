"""Bounded storage: a ring buffer of named columns, and the replay buffer of transitions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polo_ros.arrays import Array, Mask


class RingBuffer:
    """Rows of named columns; when it is full, new rows replace the oldest.

    The rows are kept in order of age in one contiguous block of a somewhat larger array. New rows are written
    behind it, and the block moves back to the front when the array is full. Reading a column is therefore a
    slice, not a copy.

    Args:
      capacity: the largest number of rows.
      columns: the shape of an entry of each column.

    Attributes:
      added: the number of rows ever added.
    """

    def __init__(self, capacity: int, columns: Mapping[str, tuple[int, ...]]) -> None:
        # with a quarter more than the capacity, each row is moved four times before it leaves
        room = capacity + capacity // 4 + 1
        self._columns = {name: np.zeros((room, *shape)) for name, shape in columns.items()}
        self._room = room
        self._start = self._stop = 0
        self.capacity = capacity
        self.added = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def append(self, rows: Mapping[str, Array]) -> None:
        """Add rows, each column (n, ...), the oldest first."""
        count = len(next(iter(rows.values())))
        kept = min(count, self.capacity)
        self._make_room(kept)
        for name, column in self._columns.items():
            column[self._stop : self._stop + kept] = rows[name][count - kept :]
        self._stop += kept
        self.added += count

    def _make_room(self, count: int) -> None:
        """Drop the rows that `count` more replace, and move the rest to the front if it is time."""
        self._start = max(self._start, self._stop + count - self.capacity)
        if self._stop + count > self._room:
            for column in self._columns.values():
                column[: len(self)] = column[self._start : self._stop].copy()
            self._start, self._stop = 0, len(self)

    def column(self, name: str) -> Array:
        """A column, oldest row first, (len, ...): a read-only view, valid until rows are added."""
        view: Array = self._columns[name][self._start : self._stop]
        view.flags.writeable = False
        return view

    def rows(self, name: str, ages: NDArray[np.int64]) -> Array:
        """Entries of a column by their position from the oldest row (0), (*ages.shape, ...)."""
        entries: Array = self.column(name)[ages]
        return entries

    def dump(self) -> dict[str, Array]:
        """Copies of all columns, for `restore`."""
        return {name: self.column(name).copy() for name in self._columns}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of an entry of each column."""
        return {name: column.shape[1:] for name, column in self._columns.items()}

    def restore(self, rows: Mapping[str, Array], added: int) -> None:
        """Replace the contents by dumped rows; with a smaller capacity the newest stay."""
        self._start = self._stop = 0
        self.added = added - len(next(iter(rows.values())))
        self.append(rows)


class ReplayBuffer(RingBuffer):
    """The last transitions in the order of their steps: state, features, control, reward, episode.

    Args:
      capacity: the largest number of transitions.
      state_size, feature_count, nu: of the task.
      goal_size: the number of last entries of a state that are its goal. A new goal separates transitions
        as a new episode does, since later rewards were earned for another goal.
    """

    def __init__(
        self, capacity: int, state_size: int, feature_count: int, nu: int, goal_size: int = 0
    ) -> None:
        columns = {
            "state": (state_size,),
            "features": (feature_count,),
            "ctrl": (nu,),
            "reward": (),
            "episode": (),
        }
        super().__init__(capacity, columns)
        self._goal = slice(state_size - goal_size, state_size)

    @property
    def oldest(self) -> int:
        """The number of the oldest transition, counted from the first one ever added."""
        return self.added - len(self)

    def unbroken(self, start: NDArray[np.int64], steps: int) -> Mask:
        """Whether the transition `steps` after each start exists, with the same episode and goal, (n,)."""
        later = np.minimum(start + steps, len(self) - 1)
        unbroken: Mask = self._same_run(start, later) & (start + steps < len(self))
        return unbroken

    def _same_run(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Mask:
        """Whether two transitions have the same episode and goal, of the positions' shape."""
        goals = (self.rows("state", positions)[..., self._goal] for positions in (first, second))
        same: Mask = self.rows("episode", first) == self.rows("episode", second)
        return same & np.equal(*goals).all(axis=-1)

    def executed_rewards(self, start: NDArray[np.int64], steps: int) -> Array:
        """The rewards from each start on, (n, steps); beyond the newest transition, its reward."""
        return self.rows("reward", np.minimum(start[:, None] + np.arange(steps), len(self) - 1))

    def executed_controls(self, start: NDArray[np.int64], steps: int) -> Array:
        """The executed controls from each start on, (n, steps, nu).

        Beyond the end of the episode, its goal or the buffer, the last control is repeated.

        Args:
          start: positions from the oldest transition, (n,).
          steps: the number of controls.
        """
        start = np.minimum(start, len(self) - 1)
        wanted = np.minimum(start[:, None] + np.arange(steps), len(self) - 1)
        same = self._same_run(wanted, np.broadcast_to(start[:, None], wanted.shape))
        # the last step of the unbroken run; argmin finds the first break
        last = np.where(same.all(axis=1), steps - 1, np.argmin(same, axis=1) - 1)
        held = np.minimum(np.arange(steps), last[:, None])
        return self.rows("ctrl", np.take_along_axis(wanted, held, axis=1))
