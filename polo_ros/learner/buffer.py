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
    """The last transitions: state, features, control, reward, episode, stream and number.

    A stream is what one robot does without a gap. Its transitions are in the order of their steps and are
    numbered from 0. Streams may be interleaved: what looks at later steps follows a single one.

    Args:
      capacity: the largest number of transitions, of all streams together.
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
            "stream": (),
            "number": (),
        }
        super().__init__(capacity, columns)
        self._goal = slice(state_size - goal_size, state_size)

    def add(self, rows: Mapping[str, Array]) -> None:
        """Append transitions and number them.

        Args:
          rows: every column but `number`, each (n, ...); those of a stream continue it.
        """
        streams = rows["stream"]
        numbers = np.empty(len(streams))
        for stream in np.unique(streams):
            among = streams == stream
            known = self.column("number")[self.column("stream") == stream]
            first = known[-1] + 1 if len(known) else 0
            numbers[among] = first + np.arange(among.sum())
        self.append({**rows, "number": numbers})

    @property
    def next_stream(self) -> int:
        """A number of a stream that is above all here."""
        return int(self.column("stream").max()) + 1 if len(self) else 0

    def _grouped(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The positions ordered by stream and step, and the place of each position in that order."""
        grouped = np.argsort(self.column("stream"), kind="stable")
        places = np.empty_like(grouped)
        places[grouped] = np.arange(len(grouped))
        return grouped, places

    def later(self, start: NDArray[np.int64], steps: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions so many steps after some, in the same stream; another one's where it has ended."""
        grouped, places = self._grouped()
        positions: NDArray[np.int64] = grouped[np.minimum(places[start] + steps, len(self) - 1)]
        return positions

    def find(self, streams: Array, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions of transitions by stream and number, or else of the nearest ones of the stream.

        Streams that are not here any more have the oldest transition's position.
        """
        grouped, _ = self._grouped()
        held, first, counts = np.unique(self.column("stream")[grouped], return_index=True, return_counts=True)
        index = np.minimum(np.searchsorted(held, streams), len(held) - 1)
        oldest = self.rows("number", grouped[first[index]]).astype(np.int64)
        steps = np.clip(numbers - oldest, 0, counts[index] - 1)
        return np.where(held[index] == streams, grouped[first[index] + steps], 0)

    def unbroken(self, start: NDArray[np.int64], steps: int) -> Mask:
        """Whether the transition `steps` after each start exists, with the same episode and goal, (n,)."""
        later = self.later(start, steps)
        advanced = np.equal(self.rows("number", later), self.rows("number", start) + steps)
        return advanced & self._same_run(start, later)

    def _same_run(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Mask:
        """Whether two transitions have the same stream, episode and goal, of the positions' shape."""
        equal = [self.rows(column, first) == self.rows(column, second) for column in ("stream", "episode")]
        goals = (self.rows("state", positions)[..., self._goal] for positions in (first, second))
        same: Mask = np.logical_and.reduce([*equal, np.equal(*goals).all(axis=-1)])
        return same

    def executed_rewards(self, start: NDArray[np.int64], steps: int) -> Array:
        """The rewards from each start on, (n, steps); meaningless where that is not unbroken."""
        return self.rows("reward", self.later(start[:, None], np.arange(steps)))

    def executed_controls(self, start: NDArray[np.int64], steps: int) -> Array:
        """The executed controls from each start on, (n, steps, nu).

        Beyond the end of the stream, its episode or its goal, the last control is repeated.

        Args:
          start: positions, (n,).
          steps: the number of controls.
        """
        wanted = self.later(start[:, None], np.arange(steps))
        same = self._same_run(wanted, np.broadcast_to(start[:, None], wanted.shape))
        # the last step of the unbroken run; argmin finds the first break
        last = np.where(same.all(axis=1), steps - 1, np.argmin(same, axis=1) - 1)
        held = np.minimum(np.arange(steps), last[:, None])
        return self.rows("ctrl", np.take_along_axis(wanted, held, axis=1))
