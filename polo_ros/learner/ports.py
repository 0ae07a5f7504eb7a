"""The interface of a learner in the background: its settings and where its results go."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from polo_ros.learner.config import LearnerConfig


@dataclass(frozen=True)
class BackgroundSettings:
    """What may change while learning.

    Attributes:
      learner: see `LearnerConfig`.
      reward_weights: of the task's reward terms, by name.
      checkpoint_period: time between automatic checkpoints, in s.
    """

    learner: LearnerConfig
    reward_weights: Mapping[str, float]
    checkpoint_period: float


@dataclass(frozen=True)
class BackgroundOutputs:
    """Where results go; called on the learning thread, and while the learner is closed.

    Attributes:
      publish: new weights, as bytes.
      info, warn, error: a sentence for the log.
    """

    publish: Callable[[bytes], None]
    info: Callable[[str], object]
    warn: Callable[[str], object]
    error: Callable[[str], object]


@dataclass(frozen=True)
class Log:
    """Where a learner's sentences for the user go.

    Attributes:
      info, warn: take a sentence.
    """

    info: Callable[[str], object]
    warn: Callable[[str], object]


def say(sentence: str) -> None:
    """Print a sentence to standard error, as commands do."""
    print(f"polo: {sentence}", file=sys.stderr)


ON_STDERR = Log(say, say)
