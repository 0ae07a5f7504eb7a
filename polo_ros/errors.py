"""The one exception that a user is meant to read."""


class PoloError(ValueError):
    """Bad input: the message is one sentence that names what is wrong and what would be right."""
