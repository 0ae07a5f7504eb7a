"""Exceptions whose messages are for users."""


class PoloError(ValueError):
    """Bad input: the message is one sentence that names what is wrong and what would be right."""


class ExplodedError(PoloError):
    """The value function has diverged: its values exceed any possible sum of rewards."""
