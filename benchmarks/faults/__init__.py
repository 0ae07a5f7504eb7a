"""Injected faults, bounded and seeded: each module is a command that appends a CSV row for each try."""
