"""Checkpoints: everything that a learner needs to continue, in one safetensors file without pickles."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.files import write_atomically
from polo_ros.learner.weights import (
    Origin,
    check_origin,
    decode_tensors,
    origin_metadata,
    read_bytes,
    value_from_tensors,
    value_tensors,
)
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint. A file of weights alone is a checkpoint without the rest.

    Attributes:
      value, origin: the value function and where it comes from.
      tensors: further arrays by name.
      metadata: further texts by name.
    """

    value: ValueEnsemble
    origin: Origin
    tensors: Mapping[str, Array]
    metadata: Mapping[str, str]

    def columns(self, store: str) -> dict[str, Array]:
        """The arrays named `store.*`, by the rest of their names."""
        prefix = f"{store}."
        return {
            name.removeprefix(prefix): array
            for name, array in self.tensors.items()
            if name.startswith(prefix)
        }


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Raises:
      PoloError: the file could not be written; an earlier one is untouched.
    """
    tensors = {**value_tensors(checkpoint.value), **checkpoint.tensors}
    content = save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        {**origin_metadata(checkpoint.origin), **checkpoint.metadata},
    )
    write_atomically(path, content)


def read_checkpoint(path: Path, task: Task) -> Checkpoint:
    """Read a checkpoint, or weights alone.

    Raises:
      PoloError: the file is missing or corrupted, or of another task, model or number of features.
    """
    tensors, metadata = read_tensors(path, "the weights")
    origin = check_origin(metadata, task, f"the weights in {path}")
    return Checkpoint(value_from_tensors(tensors, task), origin, tensors, metadata)


def read_tensors(path: Path, what: str) -> tuple[dict[str, Array], dict[str, str]]:
    """All arrays and metadata of a safetensors file; `what` names its contents in errors.

    Raises:
      PoloError: the file is missing or corrupted.
    """
    return decode_tensors(read_bytes(path), f"{what} in {path}")
