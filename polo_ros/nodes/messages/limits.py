"""How long the variable parts of received messages may be.

Each is checked before anything is copied, converted or compared: the middleware has received the message
already, but what follows would take several times its memory, or quadratic time.
"""

from polo_ros.errors import PoloError

# joints of a robot with all its tools and sensors; names are compared with each other
MOST_JOINTS = 1000
# transitions in one message of experience; the planner sends one
MOST_TRANSITIONS = 10_000
# characters of the experience's schema: a thousand joint names of 60 characters fit
MOST_SCHEMA_CHARACTERS = 100_000
# bytes of weights, 64 MiB: ten heads with two hidden layers of 1,024 units fit
MOST_WEIGHT_BYTES = 64 * 2**20
# digits of a stamp in ns, the largest that a message's header can hold
MOST_STAMP_DIGITS = 19
# dimensions of a command's layout; the planner sends one
MOST_DIMENSIONS = 8
# markers of candidate trajectories, and points of the best one: a point for each step of the horizon
MOST_MARKERS = 1000
MOST_POINTS = 10_000


def check_size(count: int, most: int, what: str) -> None:
    """Refuse a message by its size.

    Raises:
      PoloError: the count is larger than `most`.
    """
    if count > most:
        raise PoloError(f"{what}: {count} are more than the {most} that a message may hold")
