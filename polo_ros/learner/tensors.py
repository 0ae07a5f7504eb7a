"""Safetensors read from untrusted bytes: header, types and sizes are checked before an array is made."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from polo_ros.errors import PoloError

Tensors = dict[str, NDArray[Any]]
Metadata = dict[str, str]

# sizes in bytes; a header has about 100 bytes for each array and some kB of metadata
HEADER_LIMIT = 1 << 20
FILE_LIMIT = 4 << 30
TENSOR_LIMIT = 1024
DIMENSION_LIMIT = 8
# the types that this package writes, by their names in a header, with their sizes in bytes
ITEM_SIZES = {"F32": 4, "F64": 8, "U8": 1}


def read_file(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """The content of a file of limited size.

    Raises:
      PoloError: the file is missing, cannot be read or is larger than `limit` bytes.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise PoloError(f"{path} has {size} bytes, more than the allowed {limit}")
        return path.read_bytes()
    except OSError as error:
        raise PoloError(f"{path} could not be read ({error.strerror})") from None


def parse_tensors(content: bytes, what: str) -> tuple[Tensors, Metadata]:
    """The arrays and the metadata of a safetensors file.

    Args:
      content: the bytes of the file.
      what: names them in errors, such as "the weights".

    Raises:
      PoloError: the header is too long, no JSON, or describes arrays of other types or sizes than the bytes.
    """
    try:
        header = _parse_header(content)
        metadata = _checked_metadata(header.pop("__metadata__", {}))
        _check_entries(header, len(content))
    except (ValueError, RecursionError) as error:
        raise PoloError(f"{what} are corrupted ({error}); use another file") from None
    try:
        return load(content), metadata
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise PoloError(f"{what} are corrupted ({error}); use another file") from None


def _parse_header(content: bytes) -> dict[str, Any]:
    """The JSON after its length in eight bytes."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError("the header is cut off")
    if length > HEADER_LIMIT:
        raise ValueError(f"the header has {length} bytes, more than the allowed {HEADER_LIMIT}")
    header = json.loads(content[8 : 8 + length].decode(), object_pairs_hook=_unique)
    if not isinstance(header, dict):
        raise ValueError("the header is no mapping")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping from JSON; a repeated name is an error, since readers differ in which entry they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in the header")
    return found


def _checked_metadata(metadata: object) -> Metadata:
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("the metadata are no texts by name")
    return metadata


def _check_entries(header: Mapping[str, Any], size: int) -> None:
    """Types, shapes and sizes of all arrays; `size` is that of the file."""
    if len(header) > TENSOR_LIMIT:
        raise ValueError(f"the file has {len(header)} arrays, more than the allowed {TENSOR_LIMIT}")
    total = 0
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name} is no array")
        dtype, shape = entry["dtype"], entry["shape"]
        if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            raise ValueError(f"{name} has type {dtype}, not one of {', '.join(ITEM_SIZES)}")
        if not isinstance(shape, list) or len(shape) > DIMENSION_LIMIT:
            raise ValueError(f"the shape of {name} is no list of at most {DIMENSION_LIMIT} sizes")
        if not all(type(extent) is int and 0 <= extent <= size for extent in shape):
            raise ValueError(f"the shape of {name} has a size that is not within the file")
        total += math.prod(shape) * ITEM_SIZES[dtype]
    if total > size:
        raise ValueError(f"the arrays need {total} bytes but the file has {size}")


def check_array(
    tensors: Mapping[str, NDArray[Any]],
    name: str,
    shape: tuple[int | None, ...],
    what: str,
    limit: float = math.inf,
) -> NDArray[np.float64]:
    """An array of floats from a file, in double precision.

    Args:
      tensors: as of `parse_tensors`.
      name: of the array.
      shape: wanted; None is any size.
      what: names the file in errors.
      limit: the largest allowed absolute value of an entry.

    Raises:
      PoloError: the array is missing, of another type or shape, not finite, or beyond the limit.
    """
    if name not in tensors:
        raise PoloError(f"{what} are incomplete ({name} is missing); save them again")
    array = tensors[name]
    if array.dtype.kind != "f":
        raise PoloError(f"{what} have {name} of type {array.dtype}, not of floating-point numbers")
    fits = len(array.shape) == len(shape) and all(
        wanted is None or extent == wanted for extent, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("any" if extent is None else str(extent) for extent in shape)
        raise PoloError(f"{what} have {name} of shape {array.shape}, not ({sizes})")
    if not np.isfinite(array).all():
        raise PoloError(f"{what} hold non-finite numbers in {name}; the learner has diverged")
    if array.size and float(np.abs(array).max()) > limit:
        raise PoloError(f"{what} have an entry of {np.abs(array).max():.3g} in {name}, beyond {limit:.3g}")
    return array.astype(np.float64)
