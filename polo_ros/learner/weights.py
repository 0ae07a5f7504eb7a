"""Value functions as safetensors: written whole, and checked entry by entry before they are used."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from polo_ros.errors import PoloError
from polo_ros.files import share_path
from polo_ros.learner.origin import Origin, read_origin
from polo_ros.learner.tensors import Metadata, Tensors, check_array, parse_tensors, read_file
from polo_ros.planner.value import Layer, ValueEnsemble
from polo_ros.tasks.task import Task

# of a file or message, in bytes: six heads of two hidden layers with 1024 units, with their priors, fit in
SIZE_LIMIT = 64 << 20
# Ranges that no trained value function leaves. Entries beyond them are signs of a corrupted file or of
# diverged training. The standardiser has a floor of 0.1; Adam's steps are at most 0.01 long.
HEAD_LIMIT, LAYER_LIMIT, UNIT_LIMIT = 64, 8, 1024
ENTRY_LIMIT = 1e4
FEATURE_LIMIT = 1e9
FEATURE_STD_FLOOR = 1e-3
SCALE_RANGE = (1e-2, 1e5)
PRIOR_SCALE_RANGE = (0.0, 10.0)
# a mean reward beyond this per step belongs to no task: values are bounded by it, times 1 / (1 - γ)
REWARD_LIMIT = 1e3
TRIAL_STATES = 64


def encode_value(value: ValueEnsemble, origin: Origin) -> bytes:
    """A value function as safetensors bytes with its origin as metadata.

    Raises:
      PoloError: the value function is larger than a reader accepts.
    """
    content = save(value_tensors(value), origin.metadata() | {"architecture": architecture(value)})
    if len(content) > SIZE_LIMIT:
        raise PoloError(
            f"the weights have {len(content)} bytes, more than the allowed {SIZE_LIMIT}; "
            f"reduce ensemble_size or hidden"
        )
    return content


def decode_value(
    content: bytes, task: Task, discount: float | None = None, what: str = "the weights"
) -> tuple[ValueEnsemble, Origin]:
    """Read a value function and check that it belongs to a task.

    Args:
      content: safetensors bytes.
      task: what the values must be about.
      discount: γ that they must have; None accepts any.
      what: names them in errors.

    Raises:
      PoloError: the bytes are no weights, an entry has another type or shape or is out of range, or they
        are of another task, model, control period or discount.
    """
    if len(content) > SIZE_LIMIT:
        raise PoloError(f"{what} have {len(content)} bytes, more than the allowed {SIZE_LIMIT}")
    return checked_value(*parse_tensors(content, what), task, discount, what)


def checked_value(
    tensors: Tensors, metadata: Metadata, task: Task, discount: float | None, what: str
) -> tuple[ValueEnsemble, Origin]:
    """A value function and its origin from a parsed file, all checked; see `decode_value`."""
    origin = read_origin(metadata, what)
    origin.check(task, None, what)
    value = value_from_tensors(tensors, task, what)
    if origin.discount is None and value.scale > 1.0:
        # files of earlier versions do not state the discount, but their scale is 1 / (1 - γ)
        origin = replace(origin, discount=1.0 - 1.0 / value.scale)
    origin.check(task, discount, what)
    check_values(value, origin.discount, what)
    return value, origin


def load_value(file: str, task: Task, discount: float | None = None) -> tuple[ValueEnsemble, Origin]:
    """Read a value function from a file, or by its name from the package's models.

    Raises:
      PoloError: there is no such file, or as for `decode_value`.
    """
    return decode_value(read_file(package_file(file), SIZE_LIMIT), task, discount)


def package_file(file: str) -> Path:
    """A file, or one of that name among the package's models.

    Raises:
      PoloError: neither exists.
    """
    path = Path(file)
    if path.is_file():
        return path
    known = sorted(each.name for each in share_path("models").glob("*.safetensors"))
    if file not in known:
        raise PoloError(
            f"there is no file {file}; give the path of a value function, or the name of one of the "
            f"package's: {', '.join(known)}"
        )
    return share_path("models", file)


def architecture(value: ValueEnsemble) -> str:
    """Heads and layer sizes, such as 6x(34-16-16-1)."""
    sizes = [value.network[0].weight.shape[1], *(layer.weight.shape[2] for layer in value.network)]
    return f"{value.head_count}x({'-'.join(map(str, sizes))})"


def value_tensors(value: ValueEnsemble) -> Tensors:
    """The arrays of a value function by name; networks in single precision, as torch trains them."""
    tensors: dict[str, NDArray[Any]] = {
        "feature_mean": value.feature_mean,
        "feature_std": value.feature_std,
        "scales": np.array([value.offset, value.scale, value.prior_scale]),
    }
    for name, layers in (("network", value.network), ("prior", value.prior)):
        for index, layer in enumerate(layers):
            tensors[f"{name}.weight{index}"] = layer.weight.astype(np.float32)
            tensors[f"{name}.bias{index}"] = layer.bias.astype(np.float32)
    return tensors


def value_from_tensors(tensors: Mapping[str, NDArray[Any]], task: Task, what: str) -> ValueEnsemble:
    """The inverse of `value_tensors`; other entries are ignored.

    Raises:
      PoloError: an array is missing, has another type or shape, is not finite or out of range.
    """
    features = task.feature_count
    network = _layers(tensors, "network", task, what)
    prior = _layers(tensors, "prior", task, what)
    if len(prior[0].weight) != len(network[0].weight):
        raise PoloError(f"{what} have {len(prior[0].weight)} priors for {len(network[0].weight)} networks")
    mean = check_array(tensors, "feature_mean", (features,), what, FEATURE_LIMIT)
    std = check_array(tensors, "feature_std", (features,), what, FEATURE_LIMIT)
    if std.min() < FEATURE_STD_FLOOR:
        raise PoloError(
            f"{what} have an entry of {std.min():.3g} in feature_std, below {FEATURE_STD_FLOOR:.3g}"
        )
    scales = check_array(tensors, "scales", (3,), what)
    offset, scale, prior_scale = (float(number) for number in scales)
    for name, number, (low, high) in (
        ("scale", scale, SCALE_RANGE),
        ("prior_scale", prior_scale, PRIOR_SCALE_RANGE),
        ("offset", offset, (-REWARD_LIMIT * scale, REWARD_LIMIT * scale)),
    ):
        if not low <= number <= high:
            raise PoloError(f"{what} have {name} {number:.3g}, not within [{low:.3g}, {high:.3g}]")
    return ValueEnsemble(network, prior, mean, std, offset, scale, prior_scale)


def _layers(tensors: Mapping[str, NDArray[Any]], name: str, task: Task, what: str) -> tuple[Layer, ...]:
    """The layers of all heads, each of a size that fits the one before."""
    count = sum(key.startswith(f"{name}.weight") for key in tensors)
    if not 2 <= count <= LAYER_LIMIT:
        raise PoloError(f"{what} are incomplete ({count} layers of {name}, not 2 to {LAYER_LIMIT})")
    layers: list[Layer] = []
    heads: int | None = None
    size = task.feature_count
    for index in range(count):
        wanted = (heads, None if index == 0 else size, 1 if index == count - 1 else None)
        weight = check_array(tensors, f"{name}.weight{index}", wanted, what, ENTRY_LIMIT)
        heads = weight.shape[0]
        if index == 0 and weight.shape[1] != size:
            raise PoloError(
                f"{what} take {weight.shape[1]} features but task {task.name} has {size}; "
                f"train them on this task"
            )
        size = weight.shape[2]
        if not (1 <= heads <= HEAD_LIMIT and 1 <= size <= UNIT_LIMIT):
            raise PoloError(
                f"{what} have {heads} heads of {size} units in {name}, not 1 to {HEAD_LIMIT} heads of 1 to "
                f"{UNIT_LIMIT} units"
            )
        bias = check_array(tensors, f"{name}.bias{index}", (heads, 1, size), what, ENTRY_LIMIT)
        layers.append(Layer(weight, bias))
    return tuple(layers)


def check_values(value: ValueEnsemble, discount: float | None, what: str) -> None:
    """Evaluate random states and refuse values that no rewards add up to.

    Args:
      value: evaluated on normally distributed features, half of them ten times wider than in training.
      discount: γ of the values; None where it is not known.
      what: names the values in errors.

    Raises:
      PoloError: a value is not finite, or beyond `REWARD_LIMIT` / (1 - γ).
    """
    limit = REWARD_LIMIT / (1.0 - min(discount or 0.0, 0.9999))
    draws = np.random.default_rng(0).normal(size=(TRIAL_STATES, len(value.feature_mean)))
    draws[TRIAL_STATES // 2 :] *= 10.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(value.heads(value.feature_mean + value.feature_std * draws)).max())
    if not worst <= limit:
        raise PoloError(
            f"{what} give a value of {worst:.3g}, beyond {limit:.3g}: more than a reward of "
            f"{REWARD_LIMIT:g} in each step adds up to"
        )
