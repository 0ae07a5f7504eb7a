"""How to improve: replay buffer, N-step targets, an ensemble with randomised priors, checkpoints.

Nothing is imported here: torch takes seconds to load, and whoever only reads weights does without it.
"""
