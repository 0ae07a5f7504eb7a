"""What a task declares: its reward terms, value features and measure."""

from dataclasses import dataclass

from polo_ros.arrays import Array


@dataclass(frozen=True)
class RewardTerm:
    """A named part of the reward: the total is the weighted sum of all terms.

    Attributes:
      name: the term; its weight is the ROS parameter `reward.<name>`.
      weight: the default weight.
      low, high: the range of the weight, tight enough for a slider.
      description: one sentence, with the unit of the unweighted term.
    """

    name: str
    weight: float
    low: float
    high: float
    description: str


@dataclass(frozen=True)
class Feature:
    """A block of the value function's input: its name, number of entries and unit."""

    name: str
    size: int
    unit: str


@dataclass(frozen=True)
class Measure:
    """The one number that summarises a state for people: its name and unit."""

    name: str
    unit: str


def bounded(error: Array, scale: float) -> Array:
    """e² / (e² + scale²), of the shape of the errors: 0 without an error, 1/2 at `scale`, below 1 always.

    The loss of Geman and McClure (1987): a square near zero, and a large error cannot outweigh all else.
    """
    squares = error * error
    bound: Array = squares / (squares + scale * scale)
    return bound
