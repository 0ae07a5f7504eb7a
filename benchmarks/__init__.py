"""Measurements of speed and reward: each module is a command that prints its results and writes CSV."""
