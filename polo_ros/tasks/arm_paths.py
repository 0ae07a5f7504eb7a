"""Paths of an arm through free joint positions: rapidly exploring random trees, shortened and smoothed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from polo_ros.arrays import Array

# of collision checks along a segment and of a tree's branches, in rad or m of the joint that moves most
RESOLUTION, BRANCH = 0.06, 0.4
ITERATIONS, SHORTCUTS = 1500, 80
# of a path's points and of the window over which it is smoothed, in s at full speed
SPACING, WINDOW = 0.01, 0.3
# the share of the distances that rounded corners keep: the shortest way turns where it keeps no more than all
ROUNDED_SHARE = 0.7


@dataclass(frozen=True)
class JointPath:
    """Joint positions along a path, at equal distances in time at full speed.

    At full speed the joint that is slowest, by its speed limit, is at that limit.

    Attributes:
      points: (n, joints), in rad or m; the last one is the end.
      velocity: the speed limits, (joints,).
    """

    points: Array
    velocity: Array

    @property
    def duration(self) -> float:
        """How long it takes at full speed, in s."""
        return SPACING * (len(self.points) - 1)

    def nearest(self, angles: Array) -> tuple[float, float]:
        """The place on the path, in s, nearest to joint positions, and the distance from it, in s."""
        distances = np.linalg.norm((self.points - angles) / self.velocity, axis=-1)
        # of equally near places, the one further ahead
        index = len(distances) - 1 - int(np.argmin(distances[::-1]))
        return SPACING * index, float(distances[index])

    def at(self, places: Array) -> Array:
        """The joint positions (n, joints) at places (n,) in s; constant beyond the ends."""
        index = np.clip(places / SPACING, 0.0, len(self.points) - 1.0)
        below = np.minimum(index.astype(int), max(len(self.points) - 2, 0))
        share = (index - below)[:, None]
        above = np.minimum(below + 1, len(self.points) - 1)
        found: Array = (1.0 - share) * self.points[below] + share * self.points[above]
        return found


class PathFinder:
    """Finds paths through free joint positions.

    Args:
      is_free: whether joint positions (joints,) keep a share of the distances that free ones do.
      low, high: the joints' ranges, (joints,).
      velocity: their speed limits, (joints,).
    """

    def __init__(
        self, is_free: Callable[[Array, float], bool], low: Array, high: Array, velocity: Array
    ) -> None:
        self._is_free, self._low, self._high, self._velocity = is_free, low, high, velocity

    def find(self, start: Array, ends: Sequence[Array]) -> JointPath:
        """A path from a start to one of some ends, the most desired first.

        The straight way to an end is preferred. Else two trees grow towards each other (RRT-Connect, Kuffner
        and LaValle 2000). Where no way is found, it is the straight way to the first end, free or not.
        """
        rng = np.random.default_rng(0)
        corners = next(([start, end] for end in ends if self._is_passable(start, end)), None)
        if corners is None:
            corners = self._connect(start, ends, rng) or [start, ends[0]]
            corners = self._shorten(corners, rng)
        return self._smooth(corners)

    def _is_passable(self, start: Array, end: Array) -> bool:
        """Whether all positions between two are free, and the second."""
        count = max(int(np.ceil(np.abs(end - start).max() / RESOLUTION)), 1)
        # from the coarse to the fine: what is blocked is so in its middle, most often
        order = sorted(range(1, count + 1), key=lambda index: index & -index, reverse=True)
        return all(self._is_free(start + index / count * (end - start), 1.0) for index in order)

    def _connect(self, start: Array, ends: Sequence[Array], rng: np.random.Generator) -> list[Array] | None:
        """Corners of a free way from a start to one of the ends; None where none is found."""
        growing, other = _Tree([start]), _Tree(ends)
        for count in range(ITERATIONS):
            target = rng.uniform(self._low, self._high)
            reached = self._grow(growing, target)
            if reached is not None:
                met = self._grow(other, growing.points[reached], to_the_end=True)
                if met is not None and np.array_equal(other.points[met], growing.points[reached]):
                    first, second = growing.way(reached), other.way(met)
                    ways = (first, second) if count % 2 == 0 else (second, first)
                    return [*ways[0], *ways[1][-2::-1]]
            growing, other = other, growing
        return None

    def _grow(self, tree: "_Tree", target: Array, to_the_end: bool = False) -> int | None:
        """Grow the nearest branch to a target, by one length or as far as it can; the new tip, if any."""
        tip = tree.nearest(target, self._velocity)
        grown = None
        while True:
            way = target - tree.points[tip]
            size = float(np.abs(way).max())
            end = target if size <= BRANCH else tree.points[tip] + BRANCH / size * way
            if not size or not self._is_passable(tree.points[tip], end):
                return tip if to_the_end and not size else grown
            tip = grown = tree.add(end, tip)
            if not to_the_end:
                return grown

    def _shorten(self, corners: list[Array], rng: np.random.Generator) -> list[Array]:
        """Replace parts between two random places by straight ones where these are free."""
        for _ in range(SHORTCUTS):
            if len(corners) < 3:
                break
            lengths = [_length(a, b, self._velocity) for a, b in pairwise(corners)]
            ends = np.cumsum([0.0, *lengths])
            first, second = np.sort(rng.uniform(0.0, ends[-1], 2))
            i, j = (int(np.searchsorted(ends, place, "right")) - 1 for place in (first, second))
            if i == j:
                continue
            a = corners[i] + (first - ends[i]) / lengths[i] * (corners[i + 1] - corners[i])
            b = corners[j] + (second - ends[j]) / lengths[j] * (corners[j + 1] - corners[j])
            if self._is_passable(a, b):
                corners = [*corners[: i + 1], a, b, *corners[j + 1 :]]
        return corners

    def _smooth(self, corners: list[Array]) -> JointPath:
        """The path with rounded corners, as far as it stays free."""
        points = [corners[0][None]]
        for begin, end in pairwise(corners):
            count = max(int(np.ceil(_length(begin, end, self._velocity) / SPACING)), 1)
            points.append(begin + np.linspace(0.0, 1.0, count + 1)[1:, None] * (end - begin))
        path = np.concatenate(points)
        if len(corners) > 2:
            for window in (WINDOW, 0.5 * WINDOW):
                rounded = _moving_average(path, round(0.5 * window / SPACING))
                if all(self._is_free(point, ROUNDED_SHARE) for point in rounded):
                    return JointPath(rounded, self._velocity)
        return JointPath(path, self._velocity)


class _Tree:
    """Joint positions, each with the one from which it was reached."""

    def __init__(self, roots: Sequence[Array]) -> None:
        self.points = list(roots)
        self._parents = [-1] * len(roots)

    def nearest(self, target: Array, velocity: Array) -> int:
        return int(np.argmin((np.square((np.array(self.points) - target) / velocity)).sum(axis=-1)))

    def add(self, point: Array, parent: int) -> int:
        self.points.append(point)
        self._parents.append(parent)
        return len(self.points) - 1

    def way(self, tip: int) -> list[Array]:
        """From the root to a tip."""
        way = [self.points[tip]]
        while self._parents[tip] >= 0:
            tip = self._parents[tip]
            way.append(self.points[tip])
        return way[::-1]


def _length(begin: Array, end: Array, velocity: Array) -> float:
    """How long the straight way takes at full speed, in s."""
    return max(float(np.abs((end - begin) / velocity).max()), 1e-9)


def _moving_average(path: Array, half: int) -> Array:
    """The mean over up to `half` points on either side of each, fewer near the ends, which stay."""
    count = len(path)
    reach = np.minimum(np.minimum(np.arange(count), np.arange(count)[::-1]), half)
    sums = np.concatenate([np.zeros((1, path.shape[1])), np.cumsum(path, axis=0)])
    index = np.arange(count)
    mean: Array = (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)[:, None]
    return mean
