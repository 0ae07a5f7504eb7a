"""Mutated weights, checkpoints and experience: each is refused by a PoloError or used correctly.

    python -m benchmarks.faults.mutations --count 10000

Every mutation starts from a good file or message of a small cart-pole learner. Correct use means: values are
finite and bounded on random features; a learner whose load failed is unchanged; one whose load succeeded can
save, and learn or report exploded values; transitions are finite and within the ranges of the task. Anything
else, in particular any exception that is no PoloError, counts as wrong, and the script exits with 1.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from std_msgs.msg import Float64MultiArray

from benchmarks.faults.mutators import FILE_MUTATIONS, MESSAGE_MUTATIONS, Draw
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
