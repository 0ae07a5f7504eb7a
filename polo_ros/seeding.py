"""Independent streams of random numbers from one seed.

Generators that are seeded with the same number draw the same numbers: without streams of their own, the
planner's noise would repeat the start state, and the learner's labels the planner's noise. The seed's own
stream, `numpy.random.default_rng(seed)`, is that of start states and goals.
"""

from enum import IntEnum

from numpy.random import SeedSequence


class Stream(IntEnum):
    """Who draws; the order must stay, since results depend on it."""

    PLANNER = 0
    LEARNER = 1
    LABELS = 2


def seed_of(seed: int, stream: Stream) -> SeedSequence:
    """What the generator of a stream is seeded with, from the seed of a run."""
    return SeedSequence(seed).spawn(len(Stream))[stream]
