"""The recent samples of one part of the state, each with its own stamp."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS

# how long samples of a part are kept, in s; parts that lie further apart do not make a state
KEPT_SPAN_S = 0.2
KEPT_SPAN_NS = round(KEPT_SPAN_S * NANOSECONDS)


@dataclass(frozen=True)
class Sample:
    """A part's entries of the model's `qpos` and `qvel`, and their stamp in ns."""

    qpos: Array
    qvel: Array
    stamp: int


STAMP = attrgetter("stamp")


class RecentSamples:
    """The samples of the last 0.2 s by stamp, and the one before them.

    Samples may come late, in any order and twice. One that comes more than 0.2 s late means that the clock
    has jumped back, or that the newest stamp was wrong: what was kept is of another time and is dropped.
    """

    def __init__(self) -> None:
        self._samples: list[Sample] = []

    def add(self, sample: Sample) -> int:
        """Take a sample, which replaces one of the same stamp; the newest stamp then, in ns."""
        samples = self._samples
        if samples and samples[-1].stamp < sample.stamp:  # as nearly always
            samples.append(sample)
            self._drop_old()
            return sample.stamp
        if samples and sample.stamp < samples[-1].stamp - KEPT_SPAN_NS:
            samples.clear()
        first = bisect_left(samples, sample.stamp, key=STAMP)
        last = bisect_right(samples, sample.stamp, key=STAMP)
        samples[first:last] = [sample]
        self._drop_old()
        return samples[-1].stamp

    def _drop_old(self) -> None:
        samples = self._samples
        oldest = samples[-1].stamp - KEPT_SPAN_NS
        while len(samples) > 1 and samples[1].stamp <= oldest:
            del samples[0]

    @property
    def newest(self) -> Sample | None:
        """The sample with the latest stamp; None before the first."""
        return self._samples[-1] if self._samples else None

    def around(self, moment: int) -> tuple[Sample, Sample]:
        """The last sample up to a moment in ns and the first from it on; one that is missing is the other.

        Raises:
          IndexError: there is no sample yet.
        """
        samples = self._samples
        if samples[-1].stamp == moment:
            return samples[-1], samples[-1]
        after = bisect_left(samples, moment, key=STAMP)
        if after < len(samples) and samples[after].stamp == moment:
            return samples[after], samples[after]
        return samples[max(after - 1, 0)], samples[min(after, len(samples) - 1)]

    def between(self, moment: int) -> tuple[Array, Array]:
        """`qpos` and `qvel` at a moment in ns, linear between two samples; of one side alone, the nearest.

        Raises:
          IndexError: there is no sample yet.
        """
        before, after = self.around(moment)
        if before is after:
            return before.qpos, before.qvel
        weight = (moment - before.stamp) / (after.stamp - before.stamp)
        qpos: Array = before.qpos + weight * (after.qpos - before.qpos)
        qvel: Array = before.qvel + weight * (after.qvel - before.qvel)
        return qpos, qvel
