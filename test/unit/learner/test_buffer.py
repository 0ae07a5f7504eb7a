"""Ring and replay buffer: contents, order, views without copies, and controls executed from a state on."""

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.learner.buffer import ReplayBuffer, RingBuffer


def rows(first: int, count: int) -> dict[str, Array]:
    """Rows that carry their own number."""
    numbers = np.arange(first, first + count, dtype=float)
    return {"number": numbers, "pair": np.column_stack([numbers, -numbers])}


def ring(capacity: int) -> RingBuffer:
    return RingBuffer(capacity, {"number": (), "pair": (2,)})


def held(store: RingBuffer) -> list[int]:
    return [int(number) for number in store.column("number")]


def test_the_newest_rows_are_kept_in_order() -> None:
    rng, store, added = np.random.default_rng(0), ring(10), 0
    for count in rng.integers(0, 25, 40):  # single rows, none, and more than fit
        store.append(rows(added, int(count)))
        added += int(count)
        kept = list(range(max(added - 10, 0), added))
        assert held(store) == kept
        assert len(store) == len(kept) and store.added == added
        np.testing.assert_array_equal(store.column("pair")[:, 1], -np.array(kept, float))


def test_rows_are_read_by_age() -> None:
    store = ring(10)
    store.append(rows(0, 7))
    assert store.rows("number", np.array([[0, 6], [3, 3]])).tolist() == [[0, 6], [3, 3]]
    store.append(rows(7, 7))
    assert store.rows("pair", np.array([0, 9])).tolist() == [[4, -4], [13, -13]]


def test_reading_a_column_copies_nothing() -> None:
    store, added, moves = ring(100), 0, 0
    for count in (1, 60, 39, 7, 7, 7, 7, 50, 100, 250):
        before = store.column("pair")
        store.append(rows(added, count))
        added += count
        first, second = store.column("pair"), store.column("pair")
        assert np.shares_memory(first, second)
        assert first.base is not None and first.base is second.base is before.base
        moves += first.ctypes.data < before.ctypes.data
    assert moves  # the rows were moved to the front at least once


def test_a_column_cannot_be_written_to() -> None:
    store = ring(10)
    store.append(rows(0, 3))
    with pytest.raises(ValueError, match="read-only"):
        store.column("number")[:] = 99.0
    store.append(rows(3, 3))  # the buffer itself still can
    assert held(store) == list(range(6))


@pytest.mark.parametrize("count", [0, 4, 10, 23])
@pytest.mark.parametrize("capacity", [3, 10, 30])
def test_restored_buffer_continues_like_the_dumped_one(count: int, capacity: int) -> None:
    source, other = ring(10), ring(capacity)
    source.append(rows(0, count))
    other.append(rows(1000, 2))  # replaced by restore
    other.restore(source.dump(), source.added)
    assert other.added == count
    assert held(other) == held(source)[-capacity:]
    for first in range(count, count + 12, 4):
        source.append(rows(first, 4))
        other.append(rows(first, 4))
    common = min(capacity, 10)
    assert held(other)[-common:] == held(source)[-common:]
    assert len(other) <= capacity


def test_dumped_rows_do_not_change_with_the_buffer() -> None:
    store = ring(10)
    store.append(rows(0, 10))
    dumped = store.dump()
    store.append(rows(10, 5))
    assert dumped["number"].tolist() == list(range(10))


def transitions(episodes: list[int], capacity: int = 100, streams: list[int] | None = None) -> ReplayBuffer:
    """A buffer whose transition i has control 100 + i, feature -i and reward i."""
    count = len(episodes)
    buffer = ReplayBuffer(capacity, state_size=1, feature_count=1, nu=1)
    buffer.add(
        {
            "state": np.arange(count, dtype=float)[:, None],
            "features": -np.arange(count, dtype=float)[:, None],
            "ctrl": 100.0 + np.arange(count, dtype=float)[:, None],
            "reward": np.arange(count, dtype=float),
            "episode": np.array(episodes, float),
            "stream": np.array(streams or [0] * count, float),
        }
    )
    return buffer


def executed(buffer: ReplayBuffer, start: int, steps: int) -> list[int]:
    controls = buffer.executed_controls(np.array([start]), steps)
    assert controls.shape == (1, steps, 1)
    return [int(number) - 100 for number in controls[0, :, 0]]


def test_executed_controls_hold_the_last_of_their_episode() -> None:
    buffer = transitions([0, 0, 0, 1, 1, 1, 1])
    assert executed(buffer, 0, 3) == [0, 1, 2]
    assert executed(buffer, 1, 4) == [1, 2, 2, 2]
    assert executed(buffer, 2, 3) == [2, 2, 2]
    assert executed(buffer, 3, 4) == [3, 4, 5, 6]


def test_executed_controls_hold_the_last_of_the_buffer() -> None:
    buffer = transitions([0, 0, 0, 1, 1, 1, 1])
    assert executed(buffer, 5, 4) == [5, 6, 6, 6]
    assert executed(buffer, 6, 2) == [6, 6]


def test_executed_controls_of_many_transitions_at_once() -> None:
    buffer = transitions([0, 0, 1, 1, 1, 2])
    controls = buffer.executed_controls(np.array([4, 0, 2]), 3)
    assert (controls[..., 0] - 100).tolist() == [[4, 4, 4], [0, 1, 1], [2, 3, 4]]


def test_executed_controls_after_the_oldest_transitions_were_replaced() -> None:
    buffer = transitions([0, 0, 0, 0, 1, 1, 1], capacity=5)  # holds the transitions 2 to 6
    assert executed(buffer, 0, 4) == [2, 3, 3, 3]
    assert executed(buffer, 2, 4) == [4, 5, 6, 6]


def test_an_episode_that_comes_again_is_another_run() -> None:
    # a later run of the same number must not be joined to the earlier one by its last control
    assert executed(transitions([0, 0, 1, 0, 0]), 0, 5) == [0, 1, 1, 1, 1]


def test_unbroken_wants_the_same_episode_still_held() -> None:
    buffer = transitions([0, 0, 0, 1, 1, 1, 1])
    starts = np.arange(7)
    assert buffer.unbroken(starts, 2).tolist() == [True, False, False, True, True, False, False]
    assert buffer.unbroken(starts, 0).all()
    assert not buffer.unbroken(starts, 7).any()


def test_executed_rewards_are_those_of_the_transitions() -> None:
    buffer = transitions([0] * 8, capacity=5)  # holds the transitions 3 to 7
    assert buffer.executed_rewards(np.array([0, 3]), 3).tolist() == [[3, 4, 5], [6, 7, 7]]


def test_transitions_are_found_by_their_number_in_their_stream() -> None:
    buffer = transitions([0] * 8, capacity=5, streams=[0, 0, 7, 0, 7, 7, 0, 7])  # holds 3 to 7

    def found(stream: int, number: int) -> int:
        (position,) = buffer.find(np.array([float(stream)]), np.array([number]))
        return int(buffer.column("reward")[position])

    assert [found(0, number) for number in (2, 3)] == [3, 6]
    assert [found(7, number) for number in (1, 2, 3)] == [4, 5, 7]
    assert [found(0, number) for number in (0, 9)] == [3, 6]  # replaced, and not there yet
    assert found(3, 0) == 3  # a stream that is not held: the oldest transition
    assert buffer.next_stream == 8


@pytest.mark.parametrize("capacity", [30, 7])
def test_streams_that_arrive_interleaved_read_as_if_each_were_alone(capacity: int) -> None:
    rng = np.random.default_rng(0)
    streams = rng.integers(0, 3, 30)
    episodes = np.zeros(30, int)
    for stream in range(3):
        own = np.flatnonzero(streams == stream)
        episodes[own] = np.arange(len(own)) // 4  # all streams have episodes of the same numbers
    mixed = transitions(episodes.tolist(), capacity, streams.tolist())
    for stream in range(3):
        positions = np.flatnonzero(mixed.column("stream") == stream)
        own = np.flatnonzero(streams == stream)[-len(positions) :]
        alone = transitions(episodes[own].tolist())
        starts = np.arange(len(own))
        for steps in (0, 1, 3, 5):
            held = alone.unbroken(starts, steps)
            assert mixed.unbroken(positions, steps).tolist() == held.tolist()
            earned = own[alone.executed_rewards(starts, steps).astype(int)]
            np.testing.assert_array_equal(mixed.executed_rewards(positions, steps)[held], earned[held])
            if steps:
                controls = own[alone.executed_controls(starts, steps)[..., 0].astype(int) - 100]
                found = mixed.executed_controls(positions, steps)[..., 0] - 100
                np.testing.assert_array_equal(found, controls)
