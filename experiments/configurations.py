"""The tasks and settings that experiments on learning share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.training_cache import Training, run_episode, settings_of, trained
from polo_ros.agent.episode import Episode
from polo_ros.parameters.settings import Settings
from polo_ros.planner.value import ValueEnsemble

PAPER_REWARD: dict[str, Any] = {"reward.upright": 0.0, "reward.motion": 0.0}
# a fifth of the paper's gears, and noise to match
FIFTH_TORQUE: dict[str, Any] = {**PAPER_REWARD, "torque_scale": 0.2, "noise_sigma": 0.5}
# each label is one plan of 64 steps, eq. (7) as printed; the networks are the paper's
LEARNING: dict[str, Any] = {
    "horizon": 32, "rollouts": 30, "value_weight": 1.0, "value_blend": 1.0,
    "hidden": (16, 16), "prior_scale": 0.01, "input_noise": 0.1, "bound_targets": True,
    "learning_rate": 0.0005, "batch_size": 64, "gradient_steps": 128, "update_period": 50,
    "warmup_labels": 96, "label_capacity": 4000, "target_states": 24, "end_fraction": 0.5,
    "target_horizon": 64, "target_rollouts": 20, "target_iterations": 5, "target_sigma": 0.5,
}  # fmt: skip
# of a quick run: updates that are cheap and few, and its episodes, in control periods
QUICK: dict[str, Any] = {
    "update_period": 4, "gradient_steps": 4, "warmup_labels": 1, "target_states": 2,
    "target_rollouts": 6, "target_horizon": 4, "target_iterations": 1,
}  # fmt: skip
QUICK_STEPS = 10
# start seeds of evaluation, which no training uses
FIRST_EVALUATION_SEED = 1000


@dataclass(frozen=True)
class TrainingConfiguration:
    """A task with the settings of training and of the episodes that evaluate it.

    Attributes:
      task: by name.
      overrides: of the parameters in the task's file, for training and for evaluation.
      learning: further overrides while training.
      training_steps, episode_steps: of a training and of its episodes, in control periods.
      evaluation_steps: of an episode without learning, in control periods.
      rollouts: of the planner, by horizon.
      seeds: episodes for each point of a figure.
      value_horizon: the horizon at which the value alone plans, without rewards.
    """

    task: str
    overrides: dict[str, Any]
    learning: dict[str, Any]
    training_steps: int
    episode_steps: int
    evaluation_steps: int
    rollouts: dict[int, int]
    seeds: int
    value_horizon: int

    def settings(self, changes: Mapping[str, Any]) -> Settings:
        """The settings of the task with further parameters on top."""
        return settings_of(self.task, {**self.overrides, **changes})

    def planning(self, horizon: int, with_value: bool) -> dict[str, Any]:
        """The parameters of planning with a horizon, with or without the value function."""
        chosen: dict[str, Any] = {"horizon": horizon, "rollouts": self.rollouts[horizon]}
        if with_value:
            chosen |= {"value_weight": 1.0, "value_blend": self.learning["value_blend"]}
        return chosen

    def training_settings(self, quick: bool, changes: Mapping[str, Any] | None = None) -> Settings:
        """The settings of training with further parameters on top."""
        return self.settings({**self.learning, **(QUICK if quick else {}), **(changes or {})})

    def training(
        self, folder: Path, quick: bool, changes: Mapping[str, Any] | None = None, seed: int = 0
    ) -> Training:
        """A training by Algorithm 1 from nothing, with some parameters changed, kept in its own folder."""
        steps, episode = (QUICK_STEPS,) * 2 if quick else (self.training_steps, self.episode_steps)
        return trained(self.training_settings(quick, changes), steps, episode, seed, folder)


def evaluation_episodes(
    settings: Settings, value: ValueEnsemble | None, seeds: int, steps: int, quick: bool
) -> list[Episode]:
    """Episodes without learning from start states that no training had; one short episode if `quick`."""
    count, length = (1, QUICK_STEPS) if quick else (seeds, steps)
    return [run_episode(settings, value, FIRST_EVALUATION_SEED + index, length) for index in range(count)]


GETUP_ROLLOUTS = {8: 60, 16: 60, 32: 30, 64: 30}
# the sampler of the paper's appendix A
PAPER_SAMPLER: dict[str, Any] = {
    **PAPER_REWARD, "noise": "white", "noise_sigma": 0.2, "temperature_mode": "absolute",
    "temperature": 1.25, "elites": 0,
}  # fmt: skip
GETUP_FIFTH_TORQUE = TrainingConfiguration(
    "humanoid_getup", FIFTH_TORQUE, LEARNING, training_steps=12000, episode_steps=200,
    evaluation_steps=300, rollouts=GETUP_ROLLOUTS, seeds=5, value_horizon=64,
)  # fmt: skip
CONFIGURATIONS = {
    "getup_fifth_torque": GETUP_FIFTH_TORQUE,
    # the same labels, of the states that a planner visits which needs no values: it sees the whole movement
    "getup_fifth_torque_taught": replace(
        GETUP_FIFTH_TORQUE,
        learning={**LEARNING, "horizon": 64, "value_weight": 0.0},
        rollouts={16: 60, 32: 30},
        value_horizon=32,
    ),
    "getup": TrainingConfiguration(
        "humanoid_getup", PAPER_REWARD, {**LEARNING, "target_sigma": 0.4},
        training_steps=3000, episode_steps=200, evaluation_steps=300, rollouts=GETUP_ROLLOUTS, seeds=5,
        value_horizon=64,
    ),
    # only the actor's sampler is the paper's: the plans of eq. (7) sample on knots as in all configurations
    "getup_paper_sampler": TrainingConfiguration(
        "humanoid_getup", PAPER_SAMPLER,
        {
            **LEARNING, "rollouts": 120, "learning_rate": 0.001, "batch_size": 32, "target_sigma": 0.4,
            "target_temperature_mode": "absolute", "target_temperature": 1.25,
        },
        training_steps=2000, episode_steps=200, evaluation_steps=200,
        rollouts={8: 120, 16: 120, 32: 120, 64: 120}, seeds=3, value_horizon=64,
    ),
    "hand": TrainingConfiguration(
        "hand_cube", {},
        {**LEARNING, "hidden": (64, 64), "horizon": 16, "rollouts": 40, "target_horizon": 32,
         "target_iterations": 2, "target_states": 16},
        training_steps=2500, episode_steps=250, evaluation_steps=375,
        rollouts={4: 40, 8: 40, 16: 40, 32: 40, 64: 40}, seeds=5, value_horizon=16,
    ),
    "cartpole": TrainingConfiguration(
        "cartpole_swingup", {}, {"value_weight": 1.0, "value_blend": 1.0},
        training_steps=1500, episode_steps=150, evaluation_steps=250,
        rollouts={4: 20, 8: 20, 16: 20, 32: 20, 64: 20}, seeds=5, value_horizon=8,
    ),
}  # fmt: skip
