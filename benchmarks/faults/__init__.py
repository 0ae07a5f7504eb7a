"""Faults on purpose, bounded and seeded; each module prints a summary and writes its figures to results/."""
