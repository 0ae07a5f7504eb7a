"""Comparison with other implementations of MPPI, on the same models and rollouts."""
