"""`polo reproduce target_cost`: the effect of each way to make targets cheaper on getup, in one table."""

from dataclasses import replace

from experiments.comparison import BASE, Comparison, Variant
from experiments.configurations import GETUP_FIFTH_TORQUE

# Targets take most of the computing time of learning: plans of 20 rollouts, 5 iterations and 64 steps from 24
# states
VARIANTS = {
    BASE: Variant(),
    # plans for each of six heads: the same computing time allows a sixth of the states
    "a plan for each head: 4 states": Variant({"target_states": 4}),
    "no warm start": Variant({"target_warm_start": False}),
    "states on which heads disagree": Variant({"target_choice": 4}),
    "two iterations": Variant({"target_iterations": 2}),
    "two iterations, 60 states": Variant({"target_iterations": 2, "target_states": 60}),
    # the N-step returns of the actor's rollouts, bootstrapped anew at every update
    "the actor's own plans, 24 states": Variant(
        {"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1}
    ),
    "the actor's own plans, 160 states": Variant(
        {"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1, "target_states": 160}
    ),
    "MPC alone": Variant(None),
}


class TargetCost(Comparison):
    """Sharing, warm starts, choice of states, cheaper and more labels; trainings of 12 s of experience."""

    name = "target_cost"
    summary = (
        "What cheaper targets cost on getup: shared plans, warm starts, choice of states, actor's rollouts"
    )
    title = "ways to make targets cheaper"
    configuration = replace(GETUP_FIFTH_TORQUE, training_steps=1500, evaluation_steps=250, seeds=3)
    trainings = 2
    variants = VARIANTS
