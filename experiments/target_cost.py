"""`polo reproduce economies`: what each idea for cheaper targets bought on getup, in one table."""

from dataclasses import replace

from experiments.comparison import BASE, Comparison, Variant
from experiments.configurations import CASES

# Targets dominate the computing of learning: plans of 20 rollouts, 5 iterations and 64 steps from 24 states
VARIANTS = {
    BASE: Variant(),
    # six heads with rollouts of their own leave a sixth of the states for the same computing
    "a plan for each head: 4 states": Variant({"target_states": 4}),
    "no warm start": Variant({"target_warm_start": False}),
    "states on which heads disagree": Variant({"target_choice": 4}),
    "two iterations": Variant({"target_iterations": 2}),
    "two iterations, 60 states": Variant({"target_iterations": 2, "target_states": 60}),
    # what the actor's rollouts are: their N-step returns, bootstrapped afresh at every update
    "the actor's own plans, 24 states": Variant(
        {"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1}
    ),
    "the actor's own plans, 160 states": Variant(
        {"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1, "target_states": 160}
    ),
    "planner alone": Variant(None),
}


class Economies(Comparison):
    """Sharing, warm starts, choice of states, cheaper and more labels, on lives of 12 s."""

    name = "economies"
    summary = "What each idea for cheaper targets bought on getup: sharing, warm starts, choice, own rollouts"
    title = "cheaper targets"
    case = replace(CASES["getup-weak"], life=1500, steps=250, seeds=3)
    lives = 2
    variants = VARIANTS
