"""A small learner of the cart-pole, experience for it, and its checkpoints."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.tasks import Task

CONFIG = LearnerConfig(
    gradient_steps=4,
    batch_size=8,
    target_states=6,
    warmup_labels=6,
    target_horizon=8,
    target_rollouts=6,
    target_iterations=1,
    ensemble_size=2,
    hidden=(8,),
    buffer_capacity=50,
    label_capacity=20,
)


def make_learner(task: Task, seed: int = 0, **changes: Any) -> Learner:
    config = dataclasses.replace(CONFIG, **changes)
    return Learner(task, config, seed, threads=1)


def experience(task: Task, count: int, episode_steps: int = 20) -> tuple[Array, Array, Array, Array]:
    """Transitions whose rewards and episodes carry their numbers, as `Learner.add` takes them."""
    rng = np.random.default_rng(5)
    states = np.array([task.start_state(rng) for _ in range(count)])
    numbers = np.arange(count)
    return (
        states,
        rng.uniform(-1.0, 1.0, (count, task.model.nu)),
        numbers / 100.0,
        (numbers // episode_steps).astype(float),
    )


def fed(task: Task, seed: int = 0, **changes: Any) -> Learner:
    """A learner with 40 transitions of two episodes."""
    learner = make_learner(task, seed, **changes)
    learner.add(*experience(task, 40))
    return learner


def contents(learner: Learner, path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a learner's checkpoint."""
    learner.save(path, epoch=7)
    return read_tensors(path, "the weights")


def assert_same(first: Learner, second: Learner, folder: Path) -> None:
    """Two learners hold the same to the bit, generators and optimisers included."""
    tensors, metadata = contents(first, folder / "first")
    others, other_metadata = contents(second, folder / "second")
    assert metadata == other_metadata
    assert tensors.keys() == others.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def changed(path: Path, change: Callable[[dict[str, Array], dict[str, str]], object]) -> Path:
    """A copy of a checkpoint with some of its contents changed."""
    tensors, metadata = read_tensors(path, "the weights")
    change(tensors, metadata)
    other = path.with_name("changed")
    other.write_bytes(save(tensors, metadata))
    return other
