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


def batch_seed(seed: int, number: int) -> SeedSequence:
    """What the noise of a numbered batch of labels is seeded with: the same for whoever makes the batch.

    Batches have streams of their own within `Stream.LABELS`.
    """
    return SeedSequence(seed, spawn_key=(Stream.LABELS, number))
