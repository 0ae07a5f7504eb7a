"""Bounded, seeded faults: what a robot, a file, a disk or a process may do, and what became of it."""
