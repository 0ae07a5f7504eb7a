"""Faults of storage: a full disk, a read-only folder, a file-size limit, a truncated checkpoint.

    python -m benchmarks.faults.storage --count 30

Needs the right to mount (root): a learner that runs keeps its checkpoint in a tmpfs of its own. In turn the
tmpfs is filled to the last byte, is mounted read-only, and the learner is forbidden to write long files
(RLIMIT_FSIZE). Saving must be answered by a refusal in one sentence, the earlier checkpoint must stay as it
was to the byte, no remnant may lie beside it, learning must go on, and saving must succeed once there is room
again. Then the checkpoint is cut at every byte of its header, and at 200 random bytes after it: reading it
must raise PoloError and nothing else, and must leave the learner that reads it as it was. The rows of cuts
say something only where that failed, and number the cuts by their length up to the header's end.
"""

import argparse
import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from std_srvs.srv import Trigger

from benchmarks.faults.support import Attempt, Graph, arguments, repeat, run_folder, summarise
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.parameters.schema import build
from polo_ros.tasks import make_task

TASK = "cartpole_swingup"
DISK_BYTES = 16 * 2**20
CASES = ("disk full", "read-only folder", "file-size limit")
CUTS_AFTER_HEADER = 200
LEARNER: dict[str, Any] = {
    "warmup_labels": 32,
    "target_states": 4,
    "gradient_steps": 8,
    "buffer_capacity": 2000,
}


def main() -> int:
    """Break the storage, write a row a try; 1 where one was not survived."""
    options = arguments(__doc__, 30, "storage").parse_args()
    folder = run_folder("storage")
    with tmpfs(folder / "disk") as disk, Graph(folder) as graph:
        checkpoint = disk / "checkpoint.safetensors"
        graph.start("simulator_node")
        graph.start("planner_node", autostart=True)
        graph.start("learner_node", checkpoint_path=str(checkpoint), checkpoint_period=3600.0, **LEARNER)
        graph.wait(lambda: graph.reported("learner_node", "weights_sequence") > 0, "updates")
        save(graph)
        repeat("storage", options, lambda number: break_storage(graph, checkpoint, options.seed, number))
        save(graph)
        content = checkpoint.read_bytes()
    return cut_everywhere(content, options, folder / "cut.safetensors")


@contextlib.contextmanager
def tmpfs(folder: Path) -> Iterator[Path]:
    """A file system of `DISK_BYTES` of its own."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(*options: str) -> None:
    """Mount, or say what is missing."""
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"mount {' '.join(options)} failed, this command needs it: {done.stderr.strip()}")


def save(graph: Graph) -> str:
    """Save, which must succeed; what was answered."""
    answer = graph.call(Trigger, "learner_node/save_checkpoint")
    assert answer.success, answer.message
    return str(answer.message)


def break_storage(graph: Graph, checkpoint: Path, seed: int, number: int) -> Attempt:
    """One refusal and recovery."""
    rng, case = np.random.default_rng([seed, number]), CASES[number % len(CASES)]
    pid = graph.children["learner_node"].pid
    updates = graph.reported("learner_node", "weights_sequence")
    graph.wait(lambda: graph.reported("learner_node", "weights_sequence") > updates, "updates")
    before = checkpoint.read_bytes()
    with broken(case, checkpoint.parent, pid, int(rng.integers(len(before)))):
        answer = graph.call(Trigger, "learner_node/save_checkpoint")
        unchanged = checkpoint.read_bytes() == before
        remnants = [path.name for path in checkpoint.parent.glob(".checkpoint*")]
    updates = graph.reported("learner_node", "weights_sequence")
    graph.wait(lambda: graph.reported("learner_node", "weights_sequence") > updates, "further updates")
    save(graph)
    survived = not answer.success and unchanged and not remnants
    return Attempt(case, survived, said=answer.message.replace(str(checkpoint.parent), "FOLDER"))


@contextlib.contextmanager
def broken(case: str, folder: Path, pid: int, size: int) -> Iterator[None]:
    """A disk with less room than a checkpoint needs, in one of three ways; `size` is what may be written."""
    filler = folder / "filler"
    if case == "disk full":
        with filler.open("wb") as file:
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
            file.write(bytes(max(free - size, 0)))
    elif case == "read-only folder":
        mount("-o", "remount,ro", str(folder))
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        if case == "read-only folder":
            mount("-o", "remount,rw", str(folder))
        filler.unlink(missing_ok=True)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def cut_everywhere(content: bytes, options: argparse.Namespace, path: Path) -> int:
    """Cut the checkpoint at each byte of its header and at random ones after it."""
    header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng([options.seed, 1])
    cuts = [*range(header + 1), *sorted(rng.integers(header + 1, len(content), CUTS_AFTER_HEADER).tolist())]
    learner = Learner(
        make_task(TASK), build(LearnerConfig, {**LEARNER, "target_horizon": 32, "target_rollouts": 16})
    )
    features = rng.normal(size=(8, learner.task.feature_count))

    def cut(number: int) -> Attempt:
        size = cuts[number]
        path.write_bytes(content[:size])
        before = learner.value().heads(features)
        case = "checkpoint cut in its header" if size <= header else "checkpoint cut after its header"
        try:
            learner.load(path)
        except PoloError:
            said, refused = "", True
        except Exception as error:  # what must not happen
            said, refused = f"{type(error).__name__}: {error}", False
        else:
            said, refused = "loaded", False
        unchanged = np.array_equal(before, learner.value().heads(features))
        return Attempt(case, refused and unchanged, said=said[:200])

    own = options.out.with_name("storage_cuts.csv")
    failed = repeat("cut", argparse.Namespace(count=len(cuts), seed=options.seed, out=own, quiet=True), cut)
    return failed or summarise(options.out)


if __name__ == "__main__":
    sys.exit(main())
