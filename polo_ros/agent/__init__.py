"""Algorithm 1 in one process: agent, world, training, evaluation, scores."""
