"""Many independent runs: jobs on one machine or a cluster, their results file, and sweeps of parameters."""
