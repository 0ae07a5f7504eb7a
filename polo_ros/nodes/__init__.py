"""Thin ROS 2 adapters: parameters, messages and clocks. The logic behind them is in the other folders."""

import os

# Rollouts have threads of their own and all matrices are small: a pool of BLAS or OpenMP threads would only
# take the control timer's core. Set before NumPy is imported.
for _pool in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_pool}_NUM_THREADS", "1")
