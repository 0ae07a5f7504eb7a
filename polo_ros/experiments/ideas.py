"""The ideas that `polo reproduce efficiency` weighs: each a change to a planner, at equal simulator steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from polo_ros.experiments.adaptive import Recalling, SampleSized, SureHorizon
from polo_ros.planner import Planner, PlannerConfig


@dataclass(frozen=True)
class Idea:
    """What a variant changes in a task's recommended planner.

    Attributes:
      knob: what it is about; ideas of one knob share a colour.
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


def ideas(recommended: PlannerConfig) -> dict[str, Idea]:
    """Every variant by name, for a task's recommended settings."""
    return {
        RECOMMENDED: Idea("recommended"),
        "white noise": Idea("noise", {"noise": "white"}),
        "coloured noise": Idea("noise", {"noise": "filtered"}),
        "linear knots": Idea("curve", {"interpolation": "linear"}),
        "held knots": Idea("curve", {"interpolation": "zero"}),
        "twice the knots": Idea("knots", {"noise_knots": 2 * recommended.noise_knots}),
        "3 knots": Idea("knots", {"noise_knots": 3}),
        "no elites": Idea("elites", {"elites": 0}),
        "3 elites": Idea("elites", {"elites": 3}),
        "temperature 1.25": Idea("temperature", {"temperature_mode": "absolute", "temperature": 1.25}),
        "2 iterations": Idea("iterations", HALVES, share=0.5),
        "2 iterations, sigma halved": Idea("iterations", {**HALVES, "sigma_decay": 0.5}, share=0.5),
        "2 iterations if gaining": Idea("iterations", {**HALVES, "minimum_gain": 1.0}, share=0.5),
        "plan every 2nd period": Idea("time", share=2.0, every=2),
        "steps twice as long": Idea("time", share=2.0, coarse=2),
        "proposals from 3 episodes": Idea("adapting", planner=Recalling, rehearsals=3),
        "rollouts by sample size": Idea("adapting", planner=SampleSized),
        "horizon by the values' spread": Idea(
            "adapting", {"value_weight": 1.0}, valued=True, planner=SureHorizon
        ),
        "value at the end, shipped weight": Idea("values", valued=True),
        "value at the end, full weight": Idea("values", {"value_weight": 1.0}, valued=True),
        "values along the rollout": Idea("values", {"value_weight": 1.0, "value_blend": 0.95}, valued=True),
    }
