"""The weights of a value function as safetensors bytes, with the task and model that they belong to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks.task import Task

FORMAT = "polo_ros/1"


@dataclass(frozen=True)
class Origin:
    """Where weights come from; newer ones have a later epoch, or the same and a higher sequence.

    Attributes:
      task, model_hash: the task and model that the values are for.
      epoch: when the learner that made them was started, in ns since 1970.
      sequence: the number of updates of that learner, restarts included.
    """

    task: str
    model_hash: str
    epoch: int
    sequence: int


def encode_value(value: ValueEnsemble, origin: Origin) -> bytes:
    """A value function as safetensors bytes with its origin as metadata."""
    return save(value_tensors(value), origin_metadata(origin) | {"architecture": architecture(value)})


def decode_value(content: bytes, task: Task) -> tuple[ValueEnsemble, Origin]:
    """Read a value function and check that it belongs to a task.

    Raises:
      PoloError: the bytes are no weights, hold non-finite numbers, or are of another task, model or
        number of features.
    """
    tensors, metadata = decode_tensors(content, "the weights")
    origin = check_origin(metadata, task, "the weights")
    return value_from_tensors(tensors, task), origin


def load_value(file: str, task: Task) -> tuple[ValueEnsemble, Origin]:
    """Read a value function from a file, or by its name from the package's models.

    Raises:
      PoloError: there is no such file, or as for `decode_value`.
    """
    return decode_value(read_bytes(package_file(file)), task)


def package_file(file: str) -> Path:
    """The path of a file, or of the file of that name among the package's models.

    Raises:
      PoloError: neither exists.
    """
    path = Path(file)
    if path.is_file():
        return path
    if path.name != file:
        raise PoloError(
            f"there is no file {file}; give the path of a value function, or the package's name of one"
        )
    return share_path("models", file)


def architecture(value: ValueEnsemble) -> str:
    """Heads and layer sizes, such as 6x(34-16-16-1)."""
    sizes = [value.network[0].weight.shape[1], *(layer.weight.shape[2] for layer in value.network)]
    return f"{value.head_count}x({'-'.join(map(str, sizes))})"


def value_tensors(value: ValueEnsemble) -> dict[str, NDArray[Any]]:
    """The arrays of a value function by name; networks in single precision, as they are trained."""
    tensors = {
        "feature_mean": value.feature_mean,
        "feature_std": value.feature_std,
        "scales": np.array([value.offset, value.scale, value.prior_scale]),
    }
    for name, layers in (("network", value.network), ("prior", value.prior)):
        for index, layer in enumerate(layers):
            tensors[f"{name}.weight{index}"] = layer.weight.astype(np.float32)
            tensors[f"{name}.bias{index}"] = layer.bias.astype(np.float32)
    return tensors


def value_from_tensors(tensors: Mapping[str, Array], task: Task) -> ValueEnsemble:
    """The inverse of `value_tensors`; other entries are ignored.

    Raises:
      PoloError: an array is missing, not finite, or of a size that does not fit the task.
    """
    try:
        layers = {}
        for name in ("network", "prior"):
            count = sum(key.startswith(f"{name}.weight") for key in tensors)
            layers[name] = tuple(
                Layer(
                    tensors[f"{name}.weight{index}"].astype(np.float64),
                    tensors[f"{name}.bias{index}"].astype(np.float64),
                )
                for index in range(count)
            )
        offset, scale, prior_scale = (float(number) for number in tensors["scales"])
        value = ValueEnsemble(
            layers["network"], layers["prior"], tensors["feature_mean"], tensors["feature_std"],
            offset, scale, prior_scale,
        )  # fmt: skip
        inputs = value.network[0].weight.shape[1]
        with np.errstate(all="ignore"):  # evaluated once to find arrays that do not fit each other
            value.heads(np.zeros((1, inputs)))
    except (KeyError, IndexError, ValueError) as error:
        raise PoloError(f"the weights are incomplete ({error!r}); save them again") from None
    if inputs != task.feature_count:
        raise PoloError(
            f"the weights take {inputs} features but task {task.name} has {task.feature_count}; "
            f"train them on this task"
        )
    for name, tensor in value_tensors(value).items():
        if not np.isfinite(tensor).all():
            raise PoloError(f"the weights hold non-finite numbers in {name}; the learner has diverged")
    return value


def origin_metadata(origin: Origin) -> dict[str, str]:
    """The metadata from which `check_origin` reads an origin."""
    return {
        "format": FORMAT,
        "task": origin.task,
        "model_hash": origin.model_hash,
        "epoch": str(origin.epoch),
        "sequence": str(origin.sequence),
    }


def check_origin(metadata: Mapping[str, str], task: Task, what: str) -> Origin:
    """The origin in a file's metadata.

    Args:
      metadata: of the file.
      task: the task and model that it must be of.
      what: names the file in errors.

    Raises:
      PoloError: it is of another format, task or model.
    """
    if metadata.get("format") != FORMAT:
        raise PoloError(f"{what} have format {metadata.get('format')!r}, not {FORMAT!r}")
    try:
        origin = Origin(
            metadata["task"], metadata["model_hash"], int(metadata["epoch"]), int(metadata["sequence"])
        )
    except (KeyError, ValueError) as error:
        raise PoloError(f"{what} do not say where they come from ({error!r}); save them again") from None
    if origin.task != task.name:
        raise PoloError(f"{what} are of task {origin.task}, not {task.name}; train them on this task")
    if origin.model_hash != task.model_hash():
        raise PoloError(
            f"{what} are of another model ({origin.model_hash}, not {task.model_hash()}); "
            f"use the model and torque_scale they were trained with"
        )
    return origin


def read_bytes(path: Path) -> bytes:
    """The contents of a file.

    Raises:
      PoloError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PoloError(f"{path} could not be read ({error.strerror})") from None


def decode_tensors(content: bytes, what: str) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the metadata of safetensors bytes; `what` names them in errors.

    Raises:
      PoloError: the bytes are corrupted.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise PoloError(f"{what} are corrupted ({error}); use another file") from None
    # safetensors reads metadata from files only; the header is JSON, after its length in eight bytes
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})
