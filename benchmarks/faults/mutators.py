"""Seeded mutations of safetensors bytes and of the numbers of a message."""

import json
import struct
from typing import Any

import numpy as np

NUMBERS = (
    0.0, -0.0, 1e-300, -1.0, 1e3, 1e6, -1e9, 1e30, 1e38, 1e300, -1e308, float("nan"), float("inf"),
    float("-inf"), 5e-324, 0.5,
)  # fmt: skip
WORDS = (
    "F32", "F64", "BF16", "F16", "U8", "I64", "BOOL", "F8_E5M2", "", "-1", "1e400", "nan", "yes", "no", "{}",
    "[]", "null", "9" * 40, "ü", "\x00",
)  # fmt: skip
Draw = np.random.Generator


def header_of(content: bytes) -> tuple[Any, bytes]:
    """The header of safetensors bytes and the bytes after it."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header: Any, body: bytes) -> bytes:
    """Safetensors bytes of a header and a body."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def flip_bytes(content: bytes, draw: Draw) -> bytes:
    """One to eight bytes anywhere change."""
    changed = bytearray(content)
    for position in draw.integers(0, len(changed), draw.integers(1, 9)):
        changed[position] ^= int(draw.integers(1, 256))
    return bytes(changed)


def flip_header(content: bytes, draw: Draw) -> bytes:
    """One to four bytes of the header or its length change."""
    changed = bytearray(content)
    (length,) = struct.unpack("<Q", content[:8])
    for position in draw.integers(0, 8 + length, draw.integers(1, 5)):
        changed[position] = int(draw.integers(0, 256))
    return bytes(changed)


def cut(content: bytes, draw: Draw) -> bytes:
    """The end is missing, or there is more."""
    if draw.random() < 0.5:
        return content[: draw.integers(0, len(content))]
    return content + bytes(int(draw.integers(1, 64)))


def edit_entry(content: bytes, draw: Draw) -> bytes:
    """The type, shape, place or name of an array changes in the header, or the array is gone."""
    header, body = header_of(content)
    name = str(draw.choice([key for key in header if key != "__metadata__"]))
    entry = header[name]
    match draw.integers(0, 5):
        case 0:
            entry["dtype"] = str(draw.choice(WORDS))
        case 1:
            entry["shape"] = [int(size) for size in draw.integers(-1, 40, draw.integers(0, 10))]
        case 2:
            entry["data_offsets"] = [int(place) for place in draw.integers(0, len(body) + 8, 2)]
        case 3:
            header[str(draw.choice(list(header)))] = header.pop(name)
        case _:
            # the same bytes with another shape
            entry["shape"] = list(draw.permutation([*entry["shape"], 1]).tolist())
    return with_header(header, body)


def edit_metadata(content: bytes, draw: Draw) -> bytes:
    """A text of the metadata changes or is missing."""
    header, body = header_of(content)
    texts = header["__metadata__"]
    name = str(draw.choice(list(texts)))
    match draw.integers(0, 4):
        case 0:
            del texts[name]
        case 1:
            texts[name] = str(draw.choice(WORDS))
        case 2:
            letters = list(texts[name])
            letters[draw.integers(0, len(letters))] = chr(draw.integers(32, 127))
            texts[name] = "".join(letters)
        case _:
            texts[name] = texts[str(draw.choice(list(texts)))]
    return with_header(header, body)


def edit_value(content: bytes, draw: Draw) -> bytes:
    """Some entries of an array take extreme values."""
    header, body = header_of(content)
    names = [key for key in header if key != "__metadata__" and np.prod(header[key]["shape"]) > 0]
    entry = header[str(draw.choice(names))]
    dtype = {"F32": np.float32, "F64": np.float64, "U8": np.uint8}[entry["dtype"]]
    start, stop = entry["data_offsets"]
    with np.errstate(all="ignore"):
        array = np.frombuffer(body[start:stop], dtype).copy()
        array[draw.integers(0, len(array), draw.integers(1, 4))] = np.array(draw.choice(NUMBERS)).astype(
            dtype
        )
    return with_header(header, body[:start] + array.tobytes() + body[stop:])


FILE_MUTATIONS = (flip_bytes, flip_header, cut, edit_entry, edit_metadata, edit_value)


def message_length(data: Any, draw: Draw) -> Any:
    """The message has more or fewer numbers."""
    size = int(draw.integers(0, 3 * len(data)))
    return np.resize(data, size)


def message_values(data: Any, draw: Draw) -> Any:
    """Some numbers are extreme."""
    changed = data.copy()
    changed[draw.integers(0, len(data), draw.integers(1, 4))] = draw.choice(NUMBERS)
    return changed


def message_bytes(data: Any, draw: Draw) -> Any:
    """One to eight bytes change."""
    return np.frombuffer(flip_bytes(data.tobytes(), draw), np.float64)


MESSAGE_MUTATIONS = (message_length, message_values, message_bytes)
