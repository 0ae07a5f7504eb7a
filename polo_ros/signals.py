"""The signals that ask a process to end, SIGINT (Ctrl-C) and SIGTERM, collected instead of raised."""

import signal

ENDINGS = (signal.SIGINT, signal.SIGTERM)


def collect_endings() -> list[int]:
    """From now on collect the numbers of the signals that ask for an end, in a list that grows."""
    came: list[int] = []
    for ending in ENDINGS:
        signal.signal(ending, lambda number, _: came.append(number))
    return came
