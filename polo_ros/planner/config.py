"""The planner's parameters."""

from dataclasses import dataclass

from polo_ros.errors import PoloError
from polo_ros.parameters.schema import parameter

NOISES = ("white", "filtered", "knots")
INTERPOLATIONS = ("zero", "linear", "cubic")
TEMPERATURE_MODES = ("absolute", "scale_free")


@dataclass(frozen=True)
class PlannerConfig:
    """Settings of MPPI; the defaults are the recommended ones for the humanoid."""

    horizon: int = parameter(64, "Planned steps H.", low=1, high=256)
    rollouts: int = parameter(30, "Simulated action sequences per iteration K.", low=2, high=512)
    temperature: float = parameter(
        0.3,
        "MPPI temperature: in reward units, or as a multiple of the returns' standard deviation.",
        low=0.01,
        high=5.0,
    )
    temperature_mode: str = parameter(
        "scale_free",
        "Whether the temperature is absolute (the paper) or scales with the returns' spread.",
        choices=TEMPERATURE_MODES,
    )
    noise: str = parameter(
        "knots",
        "Sampling noise: white per step, filtered in time, or on the knots of a spline.",
        choices=NOISES,
    )
    noise_sigma: float = parameter(
        0.1, "Standard deviation of the noise, in units of each actuator's noise scale: half of its control "
        "range, unless the task says otherwise.",
        low=0.01, high=1.0,
    )  # fmt: skip
    noise_knots: int = parameter(4, "Knots of the plan when the noise is on knots.", low=2, high=32)
    interpolation: str = parameter(
        "cubic",
        "How the plan is interpolated between knots when the noise is on knots.",
        choices=INTERPOLATIONS,
    )
    deviation_cost: float = parameter(
        0.0, "Cost per step of deviations from the task's reference controls, if it has any: factor on the "
        "sum of their squares, in units of each actuator's noise scale.",
        low=0.0, high=500.0,
    )  # fmt: skip
    iterations: int = parameter(1, "Sampling rounds per plan.", low=1, high=10)
    elites: int = parameter(1, "Best sequences of the last plan that are tried again.", low=0, high=10)
    discount: float = parameter(
        0.99, "Discount γ per step; that of the value function, if there is one.",
        low=0.8, high=1.0, dynamic=False,
    )  # fmt: skip
    value_weight: float = parameter(
        1.0, "Factor on the terminal value; 0 plans without one.", low=0.0, high=2.0
    )
    value_blend: float = parameter(
        1.0,
        "λ of MPQ(λ): with 1 the value counts at the end of a rollout only, below 1 at every step.",
        low=0.0,
        high=1.0,
    )
    optimism: float = parameter(
        0.0,
        "κ of the optimistic log-sum-exp over value heads: 0 is their mean, below 0 is pessimistic.",
        low=-2.0,
        high=2.0,
    )

    models: int = parameter(
        1, "Models that each action sequence is simulated on: the nominal one and others drawn around it.",
        low=1, high=16,
    )  # fmt: skip
    worst_share: float = parameter(
        1.0, "Share of the models, the worst for a sequence, whose mean return counts (CVaR); 1 for all.",
        low=0.05, high=1.0,
    )  # fmt: skip
    mass_spread: float = parameter(
        0.2, "Largest relative error of masses in the drawn models.", low=0.0, high=0.9
    )
    friction_spread: float = parameter(
        0.3, "Largest relative error of friction and damping in the drawn models.", low=0.0, high=0.9
    )
    gain_spread: float = parameter(
        0.2, "Largest relative error of the actuators' gains in the drawn models.", low=0.0, high=0.9
    )

    def check(self) -> None:
        """Check the values against each other.

        Raises:
          PoloError: more knots than steps, or rollouts too few for the knots.
        """
        if self.noise == "knots":
            if self.noise_knots > self.horizon:
                raise PoloError(
                    f"noise_knots {self.noise_knots} exceeds horizon {self.horizon}; "
                    f"use at most one knot per step"
                )
            if self.rollouts < self.least_rollouts:
                raise PoloError(
                    f"rollouts {self.rollouts} are too few for {self.noise_knots} knots; use at least "
                    f"{self.least_rollouts} (the zero-noise plan, {self.elites} elites and one sample per "
                    f"knot)"
                )
        elif self.rollouts < self.least_rollouts:
            raise PoloError(
                f"rollouts {self.rollouts} leave no sample beside the zero-noise plan and "
                f"{self.elites} elites; use at least {self.least_rollouts}"
            )

    @property
    def least_rollouts(self) -> int:
        """The smallest allowed `rollouts`: the plan without noise, the elites and a sample (one per knot)."""
        return 1 + self.elites + (self.noise_knots if self.noise == "knots" else 1)

    @property
    def knots(self) -> int:
        """The number of knots of the plan: one per step unless the noise is on knots."""
        return self.noise_knots if self.noise == "knots" else self.horizon

    @property
    def curve(self) -> str:
        """The interpolation of the plan: each step has a control of its own unless the noise is on knots."""
        return self.interpolation if self.noise == "knots" else "zero"
