"""What a task declares: its reward terms, value features and measure."""

from dataclasses import dataclass


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
