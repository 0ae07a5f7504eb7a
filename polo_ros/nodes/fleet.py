"""The robots of a fleet, each in a namespace of its own, and the one value function that they teach."""

from dataclasses import dataclass

# relative to the fleet's namespace: the topic of the one learner
WEIGHTS = "value_function/weights"
# between the seeds of a fleet's robots: fleets of neighbouring seeds have no robot in common
SEED_STRIDE = 1000


@dataclass(frozen=True)
class Robot:
    """One of the robots that are started together.

    Attributes:
      name: its namespace below the fleet's, such as robot1; empty for a single robot.
      index: counted from 0.
    """

    name: str
    index: int

    def seed(self, seed: int) -> int:
        """Its own, from the fleet's: robots with the same one would do the same."""
        return seed + SEED_STRIDE * self.index

    @property
    def experience(self) -> str:
        """The topic of its experience, relative to the fleet's namespace."""
        return f"{self.name}/experience" if self.name else "experience"


def robots(count: int) -> list[Robot]:
    """So many robots, of which a single one has no namespace of its own."""
    return [Robot(f"robot{index + 1}" if count > 1 else "", index) for index in range(count)]
