"""The robots of a fleet, each in a namespace of its own, and the one value function that they teach."""

from dataclasses import dataclass

from polo_ros.errors import PoloError

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


def namespace_of(text: str) -> str:
    """A namespace as nodes take it: absolute, without a slash at the end; empty for none."""
    return f"/{text.strip('/')}" if text.strip("/") else ""


def robots(number: int | str) -> list[Robot]:
    """So many robots, of which a single one has no namespace of its own.

    Raises:
      PoloError: the number is no whole one from 1 on.
    """
    if not str(number).isdecimal() or int(number) < 1:
        raise PoloError(f"robots must be a whole number from 1 on, not {number}")
    count = int(number)
    return [Robot(f"robot{index + 1}" if count > 1 else "", index) for index in range(count)]
