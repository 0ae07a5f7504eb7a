"""The cart-pole, a value function for it and its file, and learners on a thread of their own."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from background_learners import SMALL, Make, Published
from weights_files import CONFIG

from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.origin import Origin
from polo_ros.learner.ports import BackgroundOutputs, BackgroundSettings
from polo_ros.learner.weights import encode_value
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks import Task, make_task


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task("cartpole_swingup")


@pytest.fixture
def value(task: Task) -> ValueEnsemble:
    trainer = EnsembleTrainer(task.feature_count, CONFIG, seed=0)
    trainer.fit_standardiser(np.random.default_rng(0).normal(3.0, 2.0, (50, task.feature_count)))
    return trainer.value()


@pytest.fixture
def origin(task: Task) -> Origin:
    return Origin.of(task, 0.99, epoch=1_700_000_000_000_000_123, sequence=42)


@pytest.fixture
def content(value: ValueEnsemble, origin: Origin) -> bytes:
    return encode_value(value, origin)


@pytest.fixture
def make() -> Generator[Make]:
    """Makes learners of the cart-pole, and closes them."""
    made: list[BackgroundLearner] = []

    def make_learner(
        checkpoint: Path | None = None,
        weights_file: str = "",
        rewards: dict[str, float] | None = None,
        **changes: Any,
    ) -> Any:
        task = make_task("cartpole_swingup")
        published, said = Published(task), list[str]()
        settings = BackgroundSettings(
            replace(SMALL, **changes), {**task.weights, **(rewards or {})}, checkpoint_period=3600.0
        )
        outputs = BackgroundOutputs(published.add, lambda _: None, said.append, said.append)
        learner = BackgroundLearner(task, settings, outputs, 0, 1, checkpoint, weights_file)
        made.append(learner)
        learner.said = said  # type: ignore[attr-defined]
        return learner, published

    yield make_learner
    for learner in made:
        learner.close()
