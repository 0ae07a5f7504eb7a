"""`polo reproduce ablations`: what each part of learning contributes on getup, in one table."""

from dataclasses import replace

from experiments.comparison import BASE, Comparison, Variant
from experiments.configurations import GETUP_FIFTH_TORQUE

# the noise of the actor changes, with the same sigma; the plans behind labels always have noise on knots
VARIANTS = {
    BASE: Variant(),
    "one head": Variant({"ensemble_size": 1}),
    "three heads": Variant({"ensemble_size": 3}),
    "no priors": Variant({"prior_scale": 0.0}),
    "optimism 0.05 while learning": Variant({"optimism": 0.05}),
    "optimism 0.5 while learning": Variant({"optimism": 0.5}),
    "optimism -0.25 when evaluated": Variant(acting={"optimism": -0.25}),
    "buffer of 400 states": Variant({"buffer_capacity": 400}),
    "white noise": Variant({"noise": "white"}, {"noise": "white"}),
    "filtered noise": Variant({"noise": "filtered"}, {"noise": "filtered"}),
    "labels of visited states only": Variant({"end_fraction": 0.0}),
    "targets of 16 steps": Variant({"target_horizon": 16}),
    "labels of two iterations": Variant({"target_iterations": 2}),
    "labels from the actor's plans": Variant(
        {"target_horizon": 32, "target_rollouts": 30, "target_iterations": 1}
    ),
    "unbounded targets": Variant({"bound_targets": False}),
    "MPC alone": Variant(None),
    "MPC alone, white noise": Variant(None, {"noise": "white"}),
}


class Ablations(Comparison):
    """Heads, priors, optimism, buffers, targets and noise; trainings of 24 s of experience."""

    name = "ablations"
    summary = "Contributions to learning getup: heads, priors, optimism, buffers, targets, noise"
    title = "one part of learning changed at a time"
    configuration = replace(GETUP_FIFTH_TORQUE, training_steps=3000, evaluation_steps=250, seeds=3)
    trainings = 2
    variants = VARIANTS
