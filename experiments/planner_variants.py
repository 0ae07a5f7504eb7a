"""The planner variants that `polo reproduce efficiency` compares at equal simulator steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.adaptive_planners import Recalling, SampleSized, SureHorizon
from experiments.sampling_rounds import AnnealedPlanner, GainLimitedPlanner
from polo_ros.planner import Planner, PlannerConfig


@dataclass(frozen=True)
class PlannerVariant:
    """What a variant changes in a task's recommended planner.

    Attributes:
      changes: of the planner's parameters.
      share: rollouts of one sampling round, as a share of those that the budget allows in a control period;
        below 1 with a second round, above 1 where planning less often or in longer steps saves the rest.
      every: control periods from plan to plan.
      step_factor: length of the planner's physics steps, in physics steps of the world.
      valued: whether the planner has the task's shipped value function.
      planner: its class.
      earlier_episodes: episodes before the one that is evaluated.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    every: int = 1
    step_factor: int = 1
    valued: bool = False
    planner: type[Planner] = Planner
    earlier_episodes: int = 0

    def config(self, recommended: PlannerConfig, rollouts: int) -> PlannerConfig:
        """The planner's settings, which `PlannerConfig.check` has not checked yet.

        Args:
          recommended: of the task's own file.
          rollouts: that the budget allows a control period at the recommended horizon.
        """
        # a reward one second ahead has the same weight in steps of any length
        base = replace(
            recommended,
            horizon=max(recommended.horizon // self.step_factor, 1),
            discount=recommended.discount**self.step_factor,
        )
        return replace(base, rollouts=int(rollouts * self.share), **self.changes)


RECOMMENDED = "recommended"
HALVES: dict[str, Any] = {"iterations": 2}


def planner_variants(recommended: PlannerConfig) -> dict[str, PlannerVariant]:
    """Every variant by name, for a task's recommended settings."""
    return {
        RECOMMENDED: PlannerVariant(),
        "white noise": PlannerVariant({"noise": "white"}),
        "coloured noise": PlannerVariant({"noise": "filtered"}),
        "linear knots": PlannerVariant({"interpolation": "linear"}),
        "held knots": PlannerVariant({"interpolation": "zero"}),
        "twice the knots": PlannerVariant({"noise_knots": 2 * recommended.noise_knots}),
        "3 knots": PlannerVariant({"noise_knots": 3}),
        "no elites": PlannerVariant({"elites": 0}),
        "3 elites": PlannerVariant({"elites": 3}),
        "temperature 1.25": PlannerVariant({"temperature_mode": "absolute", "temperature": 1.25}),
        "2 iterations": PlannerVariant(HALVES, share=0.5),
        "2 iterations, sigma halved": PlannerVariant(HALVES, share=0.5, planner=AnnealedPlanner),
        "2 iterations if gaining": PlannerVariant(HALVES, share=0.5, planner=GainLimitedPlanner),
        "plan every 2nd period": PlannerVariant(share=2.0, every=2),
        "steps twice as long": PlannerVariant(share=2.0, step_factor=2),
        "proposals from 3 episodes": PlannerVariant(planner=Recalling, earlier_episodes=3),
        "rollouts by sample size": PlannerVariant(planner=SampleSized),
        "horizon by the values' spread": PlannerVariant(
            {"value_weight": 1.0}, valued=True, planner=SureHorizon
        ),
        "value at the end, shipped weight": PlannerVariant(valued=True),
        "value at the end, full weight": PlannerVariant({"value_weight": 1.0}, valued=True),
        "values along the rollout": PlannerVariant({"value_weight": 1.0, "value_blend": 0.95}, valued=True),
    }
