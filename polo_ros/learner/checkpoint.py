"""Checkpoints: everything that a learner needs to continue, checked entry by entry when it is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.origin import Origin
from polo_ros.learner.tensors import Metadata, Tensors, check_array, parse_tensors, read_file
from polo_ros.learner.weights import checked_value, value_tensors
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks.task import Task

# counts are stored as float64 in places, which holds whole numbers up to here
COUNT_LIMIT = 1 << 53
GENERATOR_KEYS = {"bit_generator", "state", "has_uint32", "uinteger"}


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint. A file of weights alone is a checkpoint without the rest.

    Attributes:
      value, origin: the value function and where it comes from.
      tensors: further arrays by name.
      metadata: further texts by name.
      what: names the file in errors.
    """

    value: ValueEnsemble
    origin: Origin
    tensors: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str]
    what: str = "the checkpoint"

    def count(self, name: str) -> int:
        """A whole number in the metadata.

        Raises:
          PoloError: it is missing, no number or out of range.
        """
        try:
            count = int(self.metadata[name])
        except (KeyError, ValueError):
            raise PoloError(f"{self.what} have no number {name}; use another file") from None
        if not 0 <= count < COUNT_LIMIT:
            raise PoloError(f"{self.what} have a number {name} that is out of range; use another file")
        return count

    def generator(self, name: str) -> dict[str, Any]:
        """The state of a PCG64 generator in the metadata; see `generator_state`."""
        return generator_state(self.metadata, name, self.what)

    def columns(self, store: str, columns: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        """The rows of a stored buffer, each column (n, ...).

        Args:
          store: the arrays are named `store.*`.
          columns: the shape of an entry of each column.

        Raises:
          PoloError: a column is missing, of another type, shape or length, or not finite.
        """
        rows = {
            name: check_array(self.tensors, f"{store}.{name}", (None, *shape), self.what)
            for name, shape in columns.items()
        }
        if len({len(column) for column in rows.values()}) > 1:
            raise PoloError(f"{self.what} have columns of different lengths in {store}; use another file")
        return rows


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as safetensors bytes."""
    tensors = {**value_tensors(checkpoint.value), **checkpoint.tensors}
    return save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        {**checkpoint.origin.metadata(), **checkpoint.metadata},
    )


def decode_checkpoint(content: bytes, task: Task, discount: float, what: str) -> Checkpoint:
    """Read a checkpoint, or weights alone, from bytes.

    Args:
      content: safetensors bytes.
      task: what the values must be about.
      discount: γ that they must have.
      what: names the bytes in errors.

    Raises:
      PoloError: the bytes are corrupted, or of another task, model, control period or discount. Entries
        beside the value function and its origin are checked by those who read them.
    """
    tensors, metadata = parse_tensors(content, what)
    value, origin = checked_value(tensors, metadata, task, discount, what)
    return Checkpoint(value, origin, tensors, metadata, what)


def read_checkpoint(path: Path, task: Task, discount: float) -> Checkpoint:
    """Read a checkpoint, or weights alone, from a file.

    Raises:
      PoloError: the file is missing, or as for `decode_checkpoint`.
    """
    return decode_checkpoint(read_file(path), task, discount, f"the weights in {path}")


def read_tensors(path: Path, what: str) -> tuple[Tensors, Metadata]:
    """All arrays and metadata of a safetensors file; `what` names its contents in errors.

    Raises:
      PoloError: the file is missing or corrupted.
    """
    return parse_tensors(read_file(path), f"{what} in {path}")


def generator_state(metadata: Mapping[str, str], name: str, what: str) -> dict[str, Any]:
    """The state of a PCG64 generator in a checkpoint's metadata.

    Raises:
      PoloError: it is missing or no such state.
    """
    try:
        state = json.loads(metadata[name])
        inner = state["state"]
        good = (
            state.keys() == GENERATOR_KEYS
            and state["bit_generator"] == "PCG64"
            and inner.keys() == {"state", "inc"}
            and all(type(number) is int and 0 <= number < 1 << 128 for number in inner.values())
            and inner["inc"] % 2 == 1
            and type(state["has_uint32"]) is int and state["has_uint32"] in (0, 1)
            and type(state["uinteger"]) is int and 0 <= state["uinteger"] < 1 << 32
        )  # fmt: skip
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise PoloError(f"{what} have no usable state of the random generator {name}; use another file")
    result: dict[str, Any] = state
    return result


def check_range(array: Array, name: str, low: float, high: float, what: str) -> None:
    """Refuse entries out of a range.

    Raises:
      PoloError: names the array.
    """
    if array.size and not (low <= float(array.min()) and float(array.max()) <= high):
        raise PoloError(f"{what} have entries of {name} that are not within [{low:.3g}, {high:.3g}]")


def whole_numbers(array: Array, name: str, what: str) -> NDArray[np.int64]:
    """Counts that are stored as floating-point numbers.

    Raises:
      PoloError: an entry is no count.
    """
    check_range(array, name, 0.0, float(COUNT_LIMIT), what)
    whole = array.astype(np.int64)
    if not np.array_equal(array, whole):
        raise PoloError(f"{what} have entries of {name} that are no whole numbers")
    return whole
