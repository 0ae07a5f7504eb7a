"""Regression of a value ensemble on the λ-returns of episodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.continuations import Episodes
from polo_ros.arrays import Array, Mask
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.planner.value import ValueEnsemble

# λ of the targets of each fit after the first, with the values of the fit before
LAMBDA, FITS, EPOCHS, BATCH = 0.97, 4, 6, 512
LEARNING = LearnerConfig(
    learning_rate=2e-3, batch_size=BATCH, gradient_steps=256, ensemble_size=4, hidden=(64, 64),
    prior_scale=0.0, input_noise=0.2, weight_decay=1e-6,
)  # fmt: skip
# the least learning rate of a fit, which falls to it linearly
FINAL_RATE = 2e-5
# the inverse share of episodes that no fit sees
HELD_OUT = 10


@dataclass
class Fit:
    """A fitted ensemble and how much of held-out returns it explains, of all and of achieved states."""

    value: ValueEnsemble
    states: int
    explained: float
    explained_achieved: float


def lambda_returns(rewards: Array, values: Array, discount: float, mixed: float) -> Array:
    """TD(λ) targets, (n, T), of rewards (n, T) and values (n, T); the last is its value."""
    targets = np.empty(rewards.shape)
    targets[:, -1] = following = values[:, -1]
    for step in range(rewards.shape[1] - 2, -1, -1):
        ahead = mixed * following + (1.0 - mixed) * values[:, step + 1]
        targets[:, step] = following = rewards[:, step] + discount * ahead
    return targets


def fit(data: Sequence[Episodes], discount: float, seed: int) -> Fit:
    """Fit an ensemble to the λ-returns of episodes; one in ten is held out.

    The first fit has no values to end returns with: it takes the mean reward of an episode's second half, as
    if it were earned for ever.
    """
    features = np.concatenate([part.features.reshape(-1, part.features.shape[-1]) for part in data])
    achieved = np.concatenate([part.achieved.ravel() for part in data]) > 0.5
    held_out = np.concatenate(
        [
            np.repeat(np.arange(len(part.rewards)) % HELD_OUT == 0, part.rewards.shape[1])
            for part in data
        ]
    )  # fmt: skip
    scale = 1.0 / (1.0 - discount)
    config = replace(LEARNING, discount=discount)
    halves = [part.rewards[:, part.rewards.shape[1] // 2 :] for part in data]
    values = [
        np.broadcast_to(half.mean(axis=1, keepdims=True) * scale, part.rewards.shape)
        for half, part in zip(halves, data, strict=True)
    ]
    mixed = 1.0
    for number in range(FITS):
        targets = np.concatenate(
            [
                lambda_returns(part.rewards, some, discount, mixed).ravel()
                for part, some in zip(data, values, strict=True)
            ]
        )
        trainer = EnsembleTrainer(features.shape[1], config, seed)
        trainer.fit_standardiser(features)
        trainer.offset = float(targets.mean())
        rng = np.random.default_rng([seed, number])
        regress(trainer, config, features[~held_out], targets[~held_out], rng)
        value = trainer.value()
        found = value.heads(features).mean(axis=0)
        values = split_like(found, data)
        mixed = LAMBDA

    def explained(chosen: Mask) -> float:
        if not chosen.any():
            return float("nan")
        return float(1.0 - np.mean((found - targets)[chosen] ** 2) / targets[chosen].var())

    return Fit(value, len(features), explained(held_out), explained(held_out & achieved))


def regress(
    trainer: EnsembleTrainer, config: LearnerConfig, features: Array, targets: Array, rng: np.random.Generator
) -> None:
    """Some epochs with a learning rate that falls linearly."""
    calls = max(EPOCHS * len(features) // (config.batch_size * config.gradient_steps), 1)
    wanted = np.broadcast_to(targets, (config.ensemble_size, len(targets)))
    for call in range(calls):
        rate = max(config.learning_rate * (1.0 - call / calls), FINAL_RATE)
        trainer.configure(replace(config, learning_rate=rate))
        trainer.update(features, wanted, rng)


def split_like(flat: Array, data: Sequence[Episodes]) -> list[Array]:
    """A flat array in parts of the shapes of the episodes' rewards."""
    ends = np.cumsum([part.rewards.size for part in data])[:-1]
    return [part.reshape(like.rewards.shape) for part, like in zip(np.split(flat, ends), data, strict=True)]
