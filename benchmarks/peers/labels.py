"""How pictures name the planners of the comparison."""

PLANNER_LABELS = {
    "polo_ros": "polo_ros\n(this package)",
    "polo_ros, no value": "polo_ros without\nits value function",
    "judo": "judo,\none thread per rollout",
    "judo, our threads": "judo with as many\nthreads as polo_ros",
    "pytorch_mppi": "pytorch_mppi\n(MPPI)",
    "pytorch_mppi, knots": "pytorch_mppi\n(KMPPI, with knots)",
    "pytorch_mppi, knots, stepwise": "pytorch_mppi\n(KMPPI, a call per step)",
}
