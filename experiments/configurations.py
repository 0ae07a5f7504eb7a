"""The tasks and settings that experiments on learning share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.training_cache import Training, learned, lived, settings_of, trained
from polo_ros.agent.episode import Episode
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble

# the paper's reward and nothing beside it
PLAIN: dict[str, Any] = {"reward.upright": 0.0, "reward.motion": 0.0}
# a fifth of the paper's gears, and noise to match
WEAK: dict[str, Any] = {**PLAIN, "torque_scale": 0.2, "noise_sigma": 0.5}
# Labels by one plan of 64 steps each, as eq. (7) is printed; the networks are the paper's
LESSON: dict[str, Any] = {
    "horizon": 32, "rollouts": 30, "value_weight": 1.0, "value_blend": 1.0,
    "hidden": (16, 16), "prior_scale": 0.01, "input_noise": 0.1, "bound_targets": True,
    "learning_rate": 0.0005, "batch_size": 64, "gradient_steps": 128, "update_period": 50,
    "warmup_labels": 96, "label_capacity": 4000, "target_states": 24, "end_fraction": 0.5,
    "target_horizon": 64, "target_rollouts": 20, "target_iterations": 5, "target_sigma": 0.5,
}  # fmt: skip
# how little a quick run learns, and how short it is
QUICK: dict[str, Any] = {
    "update_period": 10, "gradient_steps": 8, "warmup_labels": 1, "target_states": 2,
    "target_rollouts": 8, "target_horizon": 8, "target_iterations": 1,
}  # fmt: skip
QUICK_STEPS = 20
# start seeds that judge what was learned, far from those of learning
FIRST_FRESH = 1000


@dataclass(frozen=True)
class Case:
    """A task as experiments run it.

    Attributes:
      task: by name.
      overrides: what it changes in the task's parameter file.
      lesson: what learning changes beside that.
      life, episode: of learning, in control periods.
      steps: of each run without learning.
      rollouts: of the planner, by horizon.
      seeds: runs a point.
      value_horizon: where the value alone is tried, without rewards.
    """

    task: str
    overrides: dict[str, Any]
    lesson: dict[str, Any]
    life: int
    episode: int
    steps: int
    rollouts: dict[int, int]
    seeds: int
    value_horizon: int

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """With further parameters on top."""
        return settings_of(self.task, {**self.overrides, **changes})

    def planning(self, horizon: int, valued: bool) -> dict[str, Any]:
        """The parameters of planning so many steps ahead, with or without the value function."""
        chosen: dict[str, Any] = {"horizon": horizon, "rollouts": self.rollouts[horizon]}
        if valued:
            chosen |= {"value_weight": 1.0, "value_blend": self.lesson["value_blend"]}
        return chosen

    def studying(self, quick: bool, changes: Mapping[str, Any] | None = None) -> Settings:
        """Of learning, with further parameters on top."""
        return self.settings({**self.lesson, **(QUICK if quick else {}), **(changes or {})})

    def value(self, folder: Path, quick: bool) -> ValueEnsemble:
        """The value function that Algorithm 1 learns from nothing, kept in a folder of its own; seed 0."""
        return learned(self.studying(quick), *self._size(quick), 0, folder)

    def training(self, folder: Path, quick: bool, changes: Mapping[str, Any], seed: int) -> Training:
        """A training with some parameters changed, kept in a folder of its own."""
        return trained(self.studying(quick, changes), *self._size(quick), seed, folder)

    def _size(self, quick: bool) -> tuple[int, int]:
        """Life and episodes of learning, in control periods."""
        return (QUICK_STEPS, QUICK_STEPS) if quick else (self.life, self.episode)


def fresh_lives(
    settings: Settings, value: ValueEnsemble | None, seeds: int, steps: int, quick: bool
) -> list[Episode]:
    """Lives without learning from start seeds that nothing was learned from; one short one if `quick`."""
    count, length = (1, QUICK_STEPS) if quick else (seeds, steps)
    return [lived(settings, value, FIRST_FRESH + index, length) for index in range(count)]


GETUP_ROLLOUTS = {8: 60, 16: 60, 32: 30, 64: 30}
# the sampler of the paper's appendix A
PAPER: dict[str, Any] = {
    **PLAIN, "noise": "white", "noise_sigma": 0.2, "temperature_mode": "absolute", "temperature": 1.25,
    "elites": 0,
}  # fmt: skip
GETUP_WEAK = Case(
    "humanoid_getup", WEAK, LESSON, life=12000, episode=200, steps=300, rollouts=GETUP_ROLLOUTS, seeds=5,
    value_horizon=64,
)  # fmt: skip
CASES = {
    "getup-weak": GETUP_WEAK,
    # the same labels of what a planner visits that needs no values: it sees the whole movement
    "getup-weak-taught": replace(
        GETUP_WEAK,
        lesson={**LESSON, "horizon": 64, "value_weight": 0.0},
        rollouts={16: 60, 32: 30},
        value_horizon=32,
    ),
    "getup": Case(
        "humanoid_getup", PLAIN, {**LESSON, "target_sigma": 0.4}, life=3000, episode=200, steps=300,
        rollouts=GETUP_ROLLOUTS, seeds=5, value_horizon=64,
    ),
    # only the actor's sampler is the paper's: the plans of eq. (7) sample on knots as everywhere here
    "getup-paper": Case(
        "humanoid_getup", PAPER,
        {
            **LESSON, "rollouts": 120, "learning_rate": 0.001, "batch_size": 32, "target_sigma": 0.4,
            "target_temperature_mode": "absolute", "target_temperature": 1.25,
        },
        life=2000, episode=200, steps=200, rollouts={8: 120, 16: 120, 32: 120, 64: 120}, seeds=3,
        value_horizon=64,
    ),
    "hand": Case(
        "hand_cube", {},
        {**LESSON, "hidden": (64, 64), "horizon": 16, "rollouts": 40, "target_horizon": 32,
         "target_iterations": 2, "target_states": 16},
        life=2500, episode=250, steps=375, rollouts={4: 40, 8: 40, 16: 40, 32: 40, 64: 40}, seeds=5,
        value_horizon=16,
    ),
    "cartpole": Case(
        "cartpole_swingup", {}, {"value_weight": 1.0, "value_blend": 1.0}, life=1500, episode=150, steps=250,
        rollouts={4: 20, 8: 20, 16: 20, 32: 20, 64: 20}, seeds=5, value_horizon=8,
    ),
}  # fmt: skip
