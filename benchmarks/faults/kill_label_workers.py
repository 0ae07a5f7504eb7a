"""kill -9 of workers on Ray that make labels, in the middle of batches of a training.

    python -m benchmarks.faults.kill_label_workers --count 10

Two trainings have the same seed; the workers of one of them are killed while they label, each at a random
moment. It must end with all its updates, and be equal to the undisturbed one to the bit: metrics apart from
times, and the networks. A batch that were lost, or used twice, would change both.
"""

import argparse
import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.faults.support import Attempt, arguments, repeat, run_folder
from polo_ros.agent.provenance import value_digest
from polo_ros.learner.weights import load_value
from polo_ros.tasks import make_task

TASK = "humanoid_getup"
# an update of 16 labels takes seconds, so that most kills find a batch begun
SETTINGS = (
    "labels:=ray",
    "labels_workers:=2",
    "labels_batch:=4",
    "warmup_labels:=16",
    "rollouts:=6",
    "horizon:=16",
)
STEPS, EPISODE = 320, 160
# of metrics.csv: they differ between equal trainings
TIMES = ("plan_time", "wall_time")
# between two kills, in s; from the start of a worker on it is at work within this time
SHORTEST_S, LONGEST_S = 1.0, 3.0
# of a training, in s of wall time
LIMIT_S = 900.0
WORKER = b"ray::LabelWorker.solve"
LOST = re.compile(r"a worker on \S+ was lost .*; batches labelled again: ([\d, ]+)")


def main() -> int:
    """Train twice, kill, compare; 1 where the trainings differ."""
    parser = arguments(__doc__, 10, "kill_label_workers")
    options = parser.parse_args()
    kills, options.count = options.count, 1
    return repeat("kill -9 of label workers", options, lambda _: attempt(options, kills))


def attempt(options: argparse.Namespace, kills: int) -> Attempt:
    """An undisturbed training and one with kills."""
    folder = run_folder("kill_label_workers")
    rng = np.random.default_rng(options.seed)
    undisturbed, _, _ = train(folder / f"undisturbed-{options.seed}", options.seed, 0, rng)
    disturbed, killed, said = train(folder / f"disturbed-{options.seed}", options.seed, kills, rng)
    assert killed == kills, f"the training was over after {killed} kills"
    again = [len(numbers.split(",")) for numbers in LOST.findall(said)]
    assert len(again) == kills, f"{len(again)} losses were said, not {kills}"
    expected, found = outcome(undisturbed), outcome(disturbed)
    updates = STEPS // 16
    assert found[0][-1]["updates"] == str(updates), f"{found[0][-1]['updates']} updates, not {updates}"
    assert found == expected, "the disturbed training differs from the undisturbed one"
    words = (
        f"{kills} workers killed, {sum(again)} batches labelled again, {updates} updates, equal to the bit"
    )
    return Attempt(TASK, survived=True, lost=0, said=words)


def train(out: Path, seed: int, kills: int, rng: np.random.Generator) -> tuple[Path, int, str]:
    """A training in a process of its own: its folder, how many workers were killed, and what it said."""
    for old in out.glob("*"):
        old.unlink()
    command = [sys.executable, "-c", "from polo_ros.cli import main; main()", "train", TASK]
    command += [word for setting in SETTINGS for word in ("-p", setting)]
    command += [f"--steps={STEPS}", f"--episode={EPISODE}", f"--seed={seed}", f"--out={out}"]
    log = out.with_suffix(".log")
    killed, until = 0, time.monotonic() + LIMIT_S
    with log.open("wb") as file, subprocess.Popen(command, stderr=file, stdout=file) as process:
        due = time.monotonic() + LONGEST_S
        while process.poll() is None:
            assert time.monotonic() < until, "the training takes too long"
            time.sleep(0.01)
            if killed < kills and time.monotonic() > due:
                busy = [pid for pid in descendants(process.pid) if title(pid).startswith(WORKER)]
                if busy:
                    os.kill(int(rng.choice(sorted(busy))), signal.SIGKILL)
                    killed += 1
                    due = time.monotonic() + rng.uniform(SHORTEST_S, LONGEST_S)
    said = log.read_text()
    assert process.returncode == 0, f"the training ended with {process.returncode}: {said[-300:]}"
    return out, killed, said


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name in parentheses may have spaces
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(folder.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found.extend(parents.get(child, ()))
    return found


def title(pid: int) -> bytes:
    """The command line of a process, which Ray sets to what it does; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def outcome(out: Path) -> tuple[list[dict[str, str]], str]:
    """The metrics of a training without its times, and the digest of its value function."""
    with (out / "metrics.csv").open(newline="") as file:
        next(file)  # the settings
        rows = [
            {name: cell for name, cell in row.items() if name not in TIMES} for row in csv.DictReader(file)
        ]
    return rows, value_digest(load_value(str(out / "weights.safetensors"), make_task(TASK))[0])


if __name__ == "__main__":
    sys.exit(main())
