"""Thin ROS 2 adapters: parameters, messages, clocks and safety. No mathematics."""

import os

# Rollouts have threads of their own and matrices are small: a pool of BLAS or OpenMP threads beside them
# would only take the control timer's core. Heard of by NumPy and PyTorch before they are loaded alone.
for _pool in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_pool}_NUM_THREADS", "1")
