"""Mutated weights, checkpoints and experience: each is refused by a PoloError or used correctly.

    python -m benchmarks.faults.mutations --count 10000

Every mutation starts from a good file or message of a small cart-pole learner. Correct use means: values are
finite and bounded on random features; a learner whose load failed is unchanged; one whose load succeeded can
save, and learn or report exploded values; transitions are finite and within the ranges of the task. Anything
else, in particular any exception that is no PoloError, counts as wrong, and the script exits with 1.
"""

import argparse
import csv
import json
import struct
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from std_msgs.msg import Float64MultiArray

from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import decode_checkpoint
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import REWARD_LIMIT, decode_value, encode_value
from polo_ros.nodes.messages import pack_experience, unpack_experience
from polo_ros.tasks import Task, make_task

OUT = Path(__file__).parent / "results" / "mutations.csv"
CONFIG = LearnerConfig(
    gradient_steps=2, batch_size=8, target_states=4, warmup_labels=4, target_horizon=4, target_rollouts=6,
    target_iterations=1, ensemble_size=2, hidden=(8,), buffer_capacity=50, label_capacity=20,
)  # fmt: skip
COLUMNS = ("subject", "mutation", "tries", "refused", "correct", "wrong", "example")
# an update takes as long as fifty loads
UPDATE_EVERY = 50
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


class Subjects:
    """Good weights, a good checkpoint and a good message, and what becomes of mutated ones.

    Each use raises PoloError where the mutated bytes are refused, and AssertionError where they are used but
    not correctly.
    """

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.task: Task = make_task("cartpole_swingup")
        draw = np.random.default_rng(0)
        self.states = np.array([self.task.start_state(draw) for _ in range(40)])
        self.learner = self._fed()
        self.learner.update()
        origin = Origin.of(self.task, CONFIG.discount, 7, 1)
        self.weights = encode_value(self.learner.value(), origin)
        self.checkpoint = self.learner.dump(7)
        self.features = draw.normal(size=(50, self.task.feature_count)) * 5.0
        packed = [pack_experience(0.1, 1, state, np.zeros(1), 0.5) for state in self.states[:5]]
        self.message = np.concatenate([np.array(message.data) for message in packed])
        self._tries = 0

    def _fed(self) -> Learner:
        learner = Learner(self.task, CONFIG, 0, threads=1)
        episodes = np.repeat([0.0, 1.0], 20)
        learner.add(self.states, np.zeros((40, 1)), np.linspace(0.0, 1.0, 40), episodes)
        return learner

    def use_weights(self, content: bytes) -> None:
        """Evaluate a value function on random features."""
        value, origin = decode_value(content, self.task, CONFIG.discount)
        values = value.heads(self.features)
        assert origin.discount is not None
        limit = 2.0 * REWARD_LIMIT / (1.0 - origin.discount)
        assert np.isfinite(values).all() and np.abs(values).max() <= limit, "unbounded values"

    def use_checkpoint(self, content: bytes) -> None:
        """Load into a learner, which stays as it is where that fails."""
        learner = self.learner
        before = (learner.ensemble, learner.buffer, learner.labels, learner.sequence, learner.trained)
        drawn = str(learner._rng.bit_generator.state)
        try:
            learner.restore(decode_checkpoint(content, self.task, CONFIG.discount, "the mutation"))
        except PoloError:
            after = (learner.ensemble, learner.buffer, learner.labels, learner.sequence, learner.trained)
            assert all(one is other for one, other in zip(before, after, strict=True)), "half loaded"
            assert drawn == str(learner._rng.bit_generator.state), "half loaded"
            raise
        self._learn(learner)
        # what it saves can be loaded
        self.learner = self._fed()
        self.learner.restore(
            decode_checkpoint(learner.dump(7), self.task, CONFIG.discount, "the saved mutation")
        )

    def _learn(self, learner: Learner) -> None:
        self._tries += 1
        if self._tries % UPDATE_EVERY == 0:
            learner.update()
            assert np.isfinite(learner.value().heads(self.features)).all(), "values are not finite"

    def use_message(self, data: Any) -> None:
        """Take transitions from a message and learn from them."""
        message = Float64MultiArray()
        message.data = data.tolist()
        rows = unpack_experience(message, self.task)
        low, high = self.task.control_low, self.task.control_high
        assert all(np.isfinite(column).all() for column in rows.values()), "not finite"
        assert ((low <= rows["ctrl"]) & (rows["ctrl"] <= high)).all(), "controls out of range"
        learner = self._fed()
        learner.add(rows["state"], rows["ctrl"], rows["reward"], rows["episode"])
        self._learn(learner)


def outcomes(
    mutate: Callable[[Any, Draw], Any],
    good: Callable[[], Any],
    use: Callable[[Any], None],
    count: int,
    seed: int,
) -> dict[str, object]:
    """Try seeded mutations; counts by outcome, and the first wrong one."""
    found: Counter[str] = Counter()
    example = ""
    for number in range(count):
        try:
            use(mutate(good(), np.random.default_rng([seed, number])))
            outcome = "correct"
        except PoloError:
            outcome = "refused"
        except Exception as error:
            outcome = "wrong"
            example = example or f"number {number}: {error!r:.120}"
        found[outcome] += 1
    return {
        "tries": count,
        **{name: found[name] for name in ("refused", "correct", "wrong")},
        "example": example,
    }


def run(count: int, seed: int) -> list[dict[str, object]]:
    """`count` mutations of each subject, in equal shares of each kind."""
    subjects = Subjects()
    rows = []
    for name, kinds, good, use in (
        ("weights", FILE_MUTATIONS, lambda: subjects.weights, subjects.use_weights),
        ("checkpoint", FILE_MUTATIONS, lambda: subjects.checkpoint, subjects.use_checkpoint),
        ("experience", MESSAGE_MUTATIONS, lambda: subjects.message, subjects.use_message),
    ):
        share = -(-count // len(kinds))
        for kind in kinds:
            found = outcomes(kind, good, use, share, seed)
            rows.append({"subject": name, "mutation": kind.__name__, **found})
    return rows


def main() -> int:
    """Write the table; 1 if a mutation was neither refused nor used correctly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=10000, help="mutations of each subject")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = run(options.count, options.seed)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.faults.mutations --count {options.count} --seed {options.seed}\n")
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*(f"{row[name]!s:14}" for name in COLUMNS))
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
