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
      knob: what it is about; planner_variants of one knob share a colour.
      changes: of the planner's parameters.
      share: of the rollouts that the budget allows a control period; what takes the rest is another
        sampling round, or it is earned by planning less often or in fewer steps.
      every: control periods from plan to plan.
      coarse: physics steps of the world that are one of the planner's.
      valued: whether the planner has the task's shipped value function.
      planner: its class.
      rehearsals: episodes before the one that counts.
    """

    knob: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    every: int = 1
    coarse: int = 1
    valued: bool = False
    planner: type[Planner] = Planner
    rehearsals: int = 0

    def config(self, recommended: PlannerConfig, rollouts: int) -> PlannerConfig:
        """The planner's settings; `PlannerConfig.check` has yet to allow them.

        Args:
          recommended: of the task's own file.
          rollouts: that the budget allows a control period at the recommended horizon.
        """
        # what lies a second ahead counts for the same in steps of any length
        base = replace(
            recommended,
            horizon=max(recommended.horizon // self.coarse, 1),
            discount=recommended.discount**self.coarse,
        )
        return replace(base, rollouts=int(rollouts * self.share), **self.changes)


RECOMMENDED = "recommended"
HALVES: dict[str, Any] = {"iterations": 2}


def planner_variants(recommended: PlannerConfig) -> dict[str, PlannerVariant]:
    """Every variant by name, for a task's recommended settings."""
    return {
        RECOMMENDED: PlannerVariant("recommended"),
        "white noise": PlannerVariant("noise", {"noise": "white"}),
        "coloured noise": PlannerVariant("noise", {"noise": "filtered"}),
        "linear knots": PlannerVariant("curve", {"interpolation": "linear"}),
        "held knots": PlannerVariant("curve", {"interpolation": "zero"}),
        "twice the knots": PlannerVariant("knots", {"noise_knots": 2 * recommended.noise_knots}),
        "3 knots": PlannerVariant("knots", {"noise_knots": 3}),
        "no elites": PlannerVariant("elites", {"elites": 0}),
        "3 elites": PlannerVariant("elites", {"elites": 3}),
        "temperature 1.25": PlannerVariant(
            "temperature", {"temperature_mode": "absolute", "temperature": 1.25}
        ),
        "2 iterations": PlannerVariant("iterations", HALVES, share=0.5),
        "2 iterations, sigma halved": PlannerVariant(
            "iterations", HALVES, share=0.5, planner=AnnealedPlanner
        ),
        "2 iterations if gaining": PlannerVariant(
            "iterations", HALVES, share=0.5, planner=GainLimitedPlanner
        ),
        "plan every 2nd period": PlannerVariant("time", share=2.0, every=2),
        "steps twice as long": PlannerVariant("time", share=2.0, coarse=2),
        "proposals from 3 episodes": PlannerVariant("adapting", planner=Recalling, rehearsals=3),
        "rollouts by sample size": PlannerVariant("adapting", planner=SampleSized),
        "horizon by the values' spread": PlannerVariant(
            "adapting", {"value_weight": 1.0}, valued=True, planner=SureHorizon
        ),
        "value at the end, shipped weight": PlannerVariant("values", valued=True),
        "value at the end, full weight": PlannerVariant("values", {"value_weight": 1.0}, valued=True),
        "values along the rollout": PlannerVariant(
            "values", {"value_weight": 1.0, "value_blend": 0.95}, valued=True
        ),
    }
