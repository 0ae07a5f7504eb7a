"""The learner's parameters."""

from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter
from polo_ros.planner.config import TEMPERATURE_MODES


@dataclass(frozen=True)
class LearnerConfig:
    """Settings of value learning; default sizes of networks and updates are the paper's for the humanoid."""

    learning_rate: float = parameter(1e-3, "Adam's step size.", low=1e-5, high=1e-2)
    batch_size: int = parameter(32, "Targets per gradient step n.", low=1, high=1024)
    gradient_steps: int = parameter(64, "Gradient steps per update G.", low=1, high=1024)
    update_period: int = parameter(16, "Steps of experience between updates Z.", low=1, high=1000)
    discount: float = parameter(0.99, "Discount γ per step.", low=0.8, high=0.9999, dynamic=False)
    target_states: int = parameter(
        24, "States that each update labels by trajectory optimisation.", low=1, high=256
    )
    warmup_labels: int = parameter(256, "Labelled states before the first gradient step.", low=1, high=10000)
    bound_targets: bool = parameter(
        False,
        "Limit targets to the best N-step reward seen, repeated for ever: keeps the maximum of eq. (7) from "
        "accumulating errors, and also limits the optimism that exploration needs.",
    )
    anchor: float = parameter(
        0.0,
        "Share of every target that is the value by `weights_file`: keeps a learner near that function. "
        "`polo train` begins from nothing and has none.",
        low=0.0,
        high=1.0,
        dynamic=False,
    )
    target_noise: float = parameter(
        0.0, "Standard deviation σ of the noise on targets in eq. (5), in units of the value scale.",
        low=0.0, high=1.0,
    )  # fmt: skip
    input_noise: float = parameter(
        0.0, "Standard deviation of noise on the standardised features in training; smooths the values.",
        low=0.0, high=1.0,
    )  # fmt: skip
    weight_decay: float = parameter(
        1e-5, "σ²/λ of eq. (5), the factor on the squared weights in the loss.", low=0.0, high=0.1
    )
    target_horizon: int = parameter(
        64, "Steps N of the trajectory optimisation behind a target.", low=1, high=256, dynamic=False
    )
    target_rollouts: int = parameter(
        20, "Rollouts per iteration behind a target.", low=2, high=512, dynamic=False
    )
    target_iterations: int = parameter(5, "Sampling rounds behind a target.", low=1, high=10, dynamic=False)
    target_sigma: float = parameter(
        0.4,
        "As noise_sigma, for the plans behind targets: larger than the planner's, since terminal states of "
        "rollouts have worse warm starts.",
        low=0.01,
        high=1.0,
        dynamic=False,
    )
    target_temperature: float = parameter(
        0.3, "As temperature, for the plans behind targets.", low=0.01, high=5.0, dynamic=False
    )
    target_temperature_mode: str = parameter(
        "scale_free",
        "As temperature_mode, for the plans behind targets.",
        choices=TEMPERATURE_MODES,
        dynamic=False,
    )
    target_value_weight: float = parameter(
        1.0,
        "As value_weight, for the plans behind targets; 0 searches for rewards alone.",
        low=0.0,
        high=1.0,
        dynamic=False,
    )
    target_warm_start: bool = parameter(
        True,
        "Whether the plan behind a target starts from the controls executed there, or from neutral ones.",
        dynamic=False,
    )
    target_choice: int = parameter(
        1,
        "States drawn for each one labelled; the heads disagree most on the values of those labelled.",
        low=1,
        high=32,
    )
    end_fraction: float = parameter(
        0.5,
        "Share of labelled states that are terminal states of rollouts; the others are visited states.",
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
        12000,
        "Transitions in the replay buffer; the oldest are replaced.",
        low=1,
        high=10**6,
        dynamic=False,
    )
    label_capacity: int = parameter(
        2000, "Labelled states kept for regression; the oldest are replaced.",
        low=1, high=10**5, dynamic=False,
    )  # fmt: skip

    labels: str = parameter(
        "in_process",
        "Who makes labels: `in_process`, the learner itself; `ray`, workers on this machine or a cluster, "
        "while the learner goes on.",
        choices=("in_process", "ray"),
        dynamic=False,
    )
    labels_address: str = parameter(
        "",
        "Of a running Ray cluster, such as `auto` or `10.0.0.5:6379`; empty starts Ray on this machine.",
        dynamic=False,
    )
    labels_workers: int = parameter(
        0, "Workers on Ray; 0 for as many as its CPUs allow.", low=0, high=4096, dynamic=False
    )
    labels_batch: int = parameter(
        8,
        "States that a worker on Ray labels at a time; fewer keep more workers busy.",
        low=1,
        high=256,
        dynamic=False,
    )
    labels_threads: int = parameter(
        1, "Threads, and CPUs, of each worker on Ray.", low=1, high=256, dynamic=False
    )

    def check(self) -> None:
        """Check the values against each other.

        Raises:
          PoloError: no hidden layer, or a first gradient step that never comes.
        """
        if self.warmup_labels > self.label_capacity:
            raise PoloError(
                f"warmup_labels {self.warmup_labels} exceeds label_capacity {self.label_capacity}, so that "
                f"learning would never begin; use at most that"
            )
        if not self.hidden:
            raise PoloError("hidden must name at least one layer, for example [16, 16]")

    @property
    def value_scale(self) -> float:
        """The value of a constant reward of one, 1 / (1 - γ): the unit of the networks' outputs."""
        return 1.0 / (1.0 - self.discount)
