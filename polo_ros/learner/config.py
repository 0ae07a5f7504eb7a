"""The learner's parameters."""

from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter


@dataclass(frozen=True)
class LearnerConfig:
    """Settings of value learning; the network and update sizes are the paper's for the humanoid."""

    learning_rate: float = parameter(1e-3, "Adam's step size.", low=1e-5, high=1e-2)
    batch_size: int = parameter(32, "Targets per gradient step n.", low=1, high=1024)
    gradient_steps: int = parameter(64, "Gradient steps per update G.", low=1, high=1024)
    update_period: int = parameter(16, "Experienced steps between updates Z.", low=1, high=1000)
    discount: float = parameter(0.99, "Discount γ per step.", low=0.8, high=0.9999)
    target_states: int = parameter(
        24, "States that each update labels by trajectory optimisation.", low=1, high=256
    )
    warmup_labels: int = parameter(256, "Labelled states before the first gradient step.", low=1, high=10000)
    bound_targets: bool = parameter(
        False,
        "Cut targets at the best N-step reward seen, repeated for ever; stops the maximum of eq. (7) from "
        "adding up errors, but also an optimism that exploring may want.",
    )
    target_noise: float = parameter(
        0.0, "Standard deviation σ of the noise on targets in eq. (5), in units of the value scale.",
        low=0.0, high=1.0,
    )  # fmt: skip
    input_noise: float = parameter(
        0.0, "Standard deviation of noise on the standardised features while training: smooths the values.",
        low=0.0, high=1.0,
    )  # fmt: skip
    weight_decay: float = parameter(1e-5, "σ²/λ of eq. (5).", low=0.0, high=0.1)
    target_horizon: int = parameter(
        64, "Steps N of the trajectory optimisation behind a target.", low=1, high=256, dynamic=False
    )
    target_rollouts: int = parameter(
        20, "Rollouts per iteration behind a target.", low=2, high=512, dynamic=False
    )
    target_iterations: int = parameter(5, "Sampling rounds behind a target.", low=1, high=10, dynamic=False)
    target_sigma: float = parameter(
        0.4,
        "Standard deviation of the noise behind a target, as noise_sigma: wider than the actor's, since "
        "ends of rollouts start from worse plans.",
        low=0.01,
        high=1.0,
        dynamic=False,
    )
    target_value_weight: float = parameter(
        1.0,
        "Factor on the terminal value that guides the plans behind a target; 0 searches for rewards alone.",
        low=0.0,
        high=1.0,
        dynamic=False,
    )
    target_warm_start: bool = parameter(
        True,
        "Start a target's plan from the controls that were once executed from its state; off, from none.",
        dynamic=False,
    )
    target_choice: int = parameter(
        1,
        "States drawn for each that is labelled: those whose values the heads disagree on most are. 1 labels "
        "what is drawn.",
        low=1,
        high=32,
    )
    end_fraction: float = parameter(
        0.5,
        "Share of labelled states that are ends of rollouts, not visited states.",
        low=0.0,
        high=0.9,
        dynamic=False,
    )
    ensemble_size: int = parameter(6, "Value functions in the ensemble.", low=1, high=64, dynamic=False)
    hidden: tuple[int, ...] = parameter(
        (16, 16), "Units of each hidden layer.", low=1, high=1024, dynamic=False
    )
    prior_scale: float = parameter(
        0.1, "Weight of the randomised priors, in units of the value scale.",
        low=0.0, high=10.0, dynamic=False,
    )  # fmt: skip
    buffer_capacity: int = parameter(
        12000, "States in the replay buffer; the oldest leave first.", low=1, high=10**6, dynamic=False
    )
    label_capacity: int = parameter(
        2000, "Labelled states kept for regression; the oldest leave first.",
        low=1, high=10**5, dynamic=False,
    )  # fmt: skip

    def check(self) -> None:
        """Refuse values that do not go together.

        Raises:
          PoloError: no hidden layer.
        """
        if not self.hidden:
            raise PoloError("hidden must name at least one layer, for example [16, 16]")

    @property
    def value_scale(self) -> float:
        """What a constant reward of one is worth, 1 / (1 - γ): the unit in which networks learn."""
        return 1.0 / (1.0 - self.discount)
