"""States are paired with the commands that acted on them."""

import numpy as np
import pytest

from polo_ros.control.command_history import Command, CommandHistory
from polo_ros.control.state import Snapshot

MS = 1_000_000
PERIOD = 20 * MS  # of the cart-pole


def snapshot(stamp: int) -> Snapshot:
    return Snapshot(np.zeros(4), stamp)


def send(history: CommandHistory, time: int, ctrl: float, planned: bool = True) -> None:
    history.add_command(Command(time, np.array([ctrl]), planned))


def transitions(history: CommandHistory) -> list[tuple[int, int, float]]:
    """Stamp in ms, episode and control."""
    return [(each.snapshot.stamp // MS, each.episode, each.ctrl[0]) for each in history.pop_transitions()]


@pytest.mark.parametrize("tick_first", [True, False])
def test_a_state_is_paired_with_the_command_of_its_own_moment(tick_first: bool) -> None:
    history = CommandHistory(PERIOD)
    for index in range(4):
        for tick in (tick_first, not tick_first):
            if tick:
                send(history, index * PERIOD, 0.1 * index)
            else:
                history.add_state(snapshot(index * PERIOD), 7)
    assert transitions(history) == [(20 * index, 7, 0.1 * index) for index in range(3)]
    send(history, 4 * PERIOD, 0.4)
    assert transitions(history) == [(60, 7, 0.1 * 3)]


def test_commands_between_two_states_count_by_how_long_they_act() -> None:
    history = CommandHistory(PERIOD)
    send(history, 4 * MS, 0.1)
    send(history, 24 * MS, 0.2)
    history.add_state(snapshot(20 * MS), 0)  # 0.1 for 4 ms, then 0.2
    history.add_state(snapshot(36 * MS), 0)  # 0.2 for 8 ms, then 0.3
    send(history, 44 * MS, 0.3)
    send(history, 64 * MS, 0.4)
    assert transitions(history) == [(20, 0, 0.2), (36, 0, 0.3)]


def test_states_with_the_safe_action_are_no_experience() -> None:
    history = CommandHistory(PERIOD)
    history.add_state(snapshot(0), 0)  # before any command
    for index, planned in enumerate((False, True, False, True), start=1):
        history.add_state(snapshot(index * PERIOD), 0)
        send(history, index * PERIOD, 0.1 * index, planned)
    assert [stamp for stamp, _, _ in transitions(history)] == [40]


def test_states_more_frequent_than_commands_give_one_transition_a_period() -> None:
    history = CommandHistory(PERIOD)
    for time in range(0, 200 * MS, 2 * MS):
        history.add_state(snapshot(time), 0)
        send(history, time, 0.1)
    assert np.diff([stamp for stamp, _, _ in transitions(history)])[1:].tolist() == [20] * 8


def test_uneven_stamps_lose_no_state() -> None:
    history = CommandHistory(PERIOD)
    stamps = [index * PERIOD + (4 * MS if index % 3 else 0) for index in range(30)]
    for stamp in stamps:
        history.add_state(snapshot(stamp), 0)
        send(history, stamp, 0.1)
    assert len(transitions(history)) == len(stamps) - 1


def test_the_acting_command_is_known_until_the_next_one_is_due() -> None:
    history = CommandHistory(PERIOD)
    assert history.acting(0) is None
    for index in range(100):
        send(history, index * PERIOD, 0.01 * index)
    assert history.acting(99 * PERIOD) == 0.99
    assert history.acting(98 * PERIOD) == 0.98
    assert history.acting(100 * PERIOD) is None
    assert history.acting(0) == 0.01 * 49  # a second is kept
    history.clear()
    assert history.acting(99 * PERIOD) is None
