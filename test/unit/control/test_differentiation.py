"""Velocities from positions: exact for even acceleration, and what happens to gaps and doubles."""

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control.differentiation import Differentiator
from polo_ros.control.joints import JointMapping
from polo_ros.control.samples import Sample
from polo_ros.control.state import StateAssembler
from polo_ros.tasks import Task

MILLISECOND = 1_000_000
UNKNOWN = np.full(2, np.nan)


def positions(time: float) -> Array:
    """Two joints of even acceleration at a time in s."""
    return np.array([1.0 + 2.0 * time + 3.0 * time**2, -4.0 * time**2])


def velocities(time: float) -> Array:
    """Of the same joints."""
    return np.array([2.0 + 6.0 * time, -8.0 * time])


def feed(found: Differentiator, milliseconds: float, known: Array = UNKNOWN) -> list[Sample]:
    """What is known with the joints of a moment."""
    return found.complete(Sample(positions(1e-3 * milliseconds), known, round(milliseconds * MILLISECOND)))


def test_even_acceleration_is_differentiated_exactly_at_uneven_times() -> None:
    found = Differentiator()
    assert feed(found, 0) == []
    (second,) = feed(found, 2)
    np.testing.assert_allclose(second.qvel, velocities(1e-3), rtol=0, atol=1e-12)  # the mean
    for before, now in ((2, 5), (5, 6), (6, 14)):
        refined, newest = feed(found, now)
        assert (refined.stamp, newest.stamp) == (before * MILLISECOND, now * MILLISECOND)
        np.testing.assert_allclose(refined.qvel, velocities(1e-3 * before), rtol=0, atol=1e-9)
        np.testing.assert_allclose(newest.qvel, velocities(1e-3 * now), rtol=0, atol=1e-9)


def test_a_velocity_that_is_given_stays() -> None:
    found = Differentiator()
    for moment in (0, 2, 4):
        samples = feed(found, moment, np.array([7.0, np.nan]))
    assert [sample.qvel[0] for sample in samples] == [7.0, 7.0]
    np.testing.assert_allclose(samples[-1].qvel[1], velocities(4e-3)[1], rtol=0, atol=1e-9)


def test_doubled_and_late_positions_change_nothing() -> None:
    found = Differentiator()
    feed(found, 0)
    feed(found, 2)
    assert feed(found, 2) == []
    assert feed(found, 1) == []
    np.testing.assert_allclose(feed(found, 4)[-1].qvel, velocities(4e-3), rtol=0, atol=1e-9)


def test_it_begins_anew_after_a_gap_or_a_jump_of_the_clock() -> None:
    for moment in (300, -300):
        found = Differentiator()
        feed(found, 0)
        feed(found, 2)
        assert feed(found, moment) == []
        assert len(feed(found, moment + 2)) == 1


def test_a_state_without_velocities_is_whole_with_the_second_message(cartpole: Task) -> None:
    states = StateAssembler(cartpole, JointMapping(cartpole.model), lockstep=False)
    states.add_joints(positions(0.0), UNKNOWN, 0)
    assert states.snapshot() is None
    for moment in (2, 4):
        states.add_joints(positions(1e-3 * moment), UNKNOWN, moment * MILLISECOND)
    snapshot = states.snapshot()
    assert snapshot is not None and snapshot.stamp == 4 * MILLISECOND
    expected = [*positions(4e-3), *velocities(4e-3)]
    np.testing.assert_allclose(snapshot.state, expected, rtol=0, atol=1e-9)
