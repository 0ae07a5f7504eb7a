"""Regression of a value ensemble on the λ-returns of episodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.continuations import HIDDEN, Episodes
from polo_ros.arrays import Array, Mask
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.planner.value import ValueEnsemble

# λ of the targets of each fit after the first, with the values of the fit before
LAMBDA, FITS, EPOCHS, BATCH = 0.97, 4, 6, 512
LEARNING = LearnerConfig(
    learning_rate=2e-3, batch_size=BATCH, gradient_steps=256, ensemble_size=4, hidden=HIDDEN,
    prior_scale=0.0, input_noise=0.2, weight_decay=1e-6,
)  # fmt: skip
# the least learning rate of a fit, which falls to it linearly
FINAL_RATE = 2e-5
# the inverse share of episodes that no fit sees
HELD_OUT = 10


# features (n, features), targets (n,), which of them to fit to (n,), seed -> values
Regression = Callable[[Array, Array, Mask, tuple[int, int]], ValueEnsemble]


@dataclass
class Fit:
    """A fitted ensemble.

    Attributes:
      states, trained: how many there were, and how many of them were fitted to.
      explained, explained_achieved: share of the variance of held-out returns, of all and of achieved states.
    """

    value: ValueEnsemble
    states: int
    trained: int
    explained: float
    explained_achieved: float


def held_out_episodes(part: Episodes) -> Mask:
    """Which episodes (n,) no fit sees."""
    mask: Mask = np.arange(len(part.rewards)) % HELD_OUT == 0
    return mask


def spread(masks: Sequence[Mask], data: Sequence[Episodes]) -> Mask:
    """Masks of episodes, (n,) of each part, as one of all states."""
    states = [np.repeat(mask, part.rewards.shape[1]) for mask, part in zip(masks, data, strict=True)]
    return np.concatenate(states)


def lambda_returns(rewards: Array, values: Array, discount: float, mixed: float) -> Array:
    """TD(λ) targets, (n, T), of rewards (n, T) and values (n, T); the last is its value."""
    targets = np.empty(rewards.shape)
    targets[:, -1] = following = values[:, -1]
    for step in range(rewards.shape[1] - 2, -1, -1):
        ahead = mixed * following + (1.0 - mixed) * values[:, step + 1]
        targets[:, step] = following = rewards[:, step] + discount * ahead
    return targets


def fit(
    data: Sequence[Episodes],
    discount: float,
    seed: int,
    regression: Regression | None = None,
    chosen: Sequence[Mask] | None = None,
) -> Fit:
    """Fit an ensemble to the λ-returns of episodes; one in ten is held out.

    The first fit has no values to end returns with: it takes the mean reward of an episode's second half, as
    if it were earned for ever.

    Args:
      data: episodes of equal length in each part.
      discount: γ per control period.
      seed: of the initial weights and of the order of the states.
      regression: makes values of features and targets; None takes the learner's ensemble.
      chosen: of each part, the episodes (n,) to fit to; held-out ones never are. None chooses all.
    """
    features = np.concatenate([part.features.reshape(-1, part.features.shape[-1]) for part in data])
    achieved = np.concatenate([part.achieved.ravel() for part in data]) > 0.5
    kept = [held_out_episodes(part) for part in data]
    seen = [~part if chosen is None else ~part & chosen[index] for index, part in enumerate(kept)]
    held_out, trained = spread(kept, data), spread(seen, data)
    scale = 1.0 / (1.0 - discount)
    regress = regression or ensemble_regression(replace(LEARNING, discount=discount))
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
        value = regress(features, targets, trained, (seed, number))
        found = value.heads(features).mean(axis=0)
        values = split_like(found, data)
        mixed = LAMBDA

    def explained(among: Mask) -> float:
        if not among.any():
            return float("nan")
        return float(1.0 - np.mean((found - targets)[among] ** 2) / targets[among].var())

    return Fit(value, len(features), int(trained.sum()), explained(held_out), explained(held_out & achieved))


def ensemble_regression(learning: LearnerConfig) -> Regression:
    """The learner's ensemble: some epochs with a learning rate that falls linearly."""

    def regress(features: Array, targets: Array, trained: Mask, seed: tuple[int, int]) -> ValueEnsemble:
        trainer = EnsembleTrainer(features.shape[1], learning, seed[0])
        trainer.fit_standardiser(features)
        trainer.offset = float(targets.mean())
        rng = np.random.default_rng(seed)
        seen, wanted = features[trained], targets[trained]
        wanted = np.broadcast_to(wanted, (learning.ensemble_size, len(wanted)))
        calls = max(EPOCHS * len(seen) // (learning.batch_size * learning.gradient_steps), 1)
        for call in range(calls):
            rate = max(learning.learning_rate * (1.0 - call / calls), FINAL_RATE)
            trainer.configure(replace(learning, learning_rate=rate))
            trainer.update(seen, wanted, rng)
        return trainer.value()

    return regress


def split_like(flat: Array, data: Sequence[Episodes]) -> list[Array]:
    """A flat array in parts of the shapes of the episodes' rewards."""
    ends = np.cumsum([part.rewards.size for part in data])[:-1]
    return [part.reshape(like.rewards.shape) for part, like in zip(np.split(flat, ends), data, strict=True)]
