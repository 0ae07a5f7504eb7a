"""Independent streams of random numbers from one seed.

Generators with the same seed draw the same numbers: without separate streams, the planner's noise would
repeat the numbers of the start state, and the learner's labels those of the planner's noise. Start states and
goals use the seed directly, `numpy.random.default_rng(seed)`.
"""

from enum import IntEnum

from numpy.random import SeedSequence


class Stream(IntEnum):
    """What the numbers are for. The order must not change: results depend on it."""

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
