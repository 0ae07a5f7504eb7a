"""How to improve: replay buffer, N-step targets, an ensemble with randomised priors, weights, checkpoints.

Nothing is imported here: torch takes seconds to load, and reading weights does not need it.
"""
