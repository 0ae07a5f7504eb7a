"""Exceptions whose messages are for users."""

import difflib
from collections.abc import Iterable


class PoloError(ValueError):
    """Bad input: the message is one sentence that names what is wrong and what would be right."""


class ExplodedError(PoloError):
    """The value function has diverged: its values exceed any possible sum of rewards."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was probably meant, or all names there are."""
    names = [one for one in known if one]
    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(names) or 'none'}"
