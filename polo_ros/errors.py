"""The exceptions that a user is meant to read."""


class PoloError(ValueError):
    """Bad input: the message is one sentence that names what is wrong and what would be right."""


class ExplodedError(PoloError):
    """Learning made values that no rewards could add up to."""
