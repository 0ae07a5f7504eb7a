"""`polo export`: a recording as a table for other programs."""

import csv
import io
from pathlib import Path

import numpy as np

from polo_ros.arrays import Array
from polo_ros.files import write_atomically
from polo_ros.learner.experience import experience_fields
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.recordings.recording import Recording
from polo_ros.tasks.task import Task

# that are written between two looks at the progress
BLOCK_ROWS = 1000
NOT_OF_THE_STATE = ("time", "episode", "ctrl", "reward")


def export_csv(recording: Recording, path: Path) -> int:
    """Write a row a transition: time, episode, each entry of state and control, each reward term, the reward.

    Args:
      recording: what is written.
      path: of the file; an older one is replaced as a whole.

    Returns:
      The number of rows.

    Raises:
      PoloError: the file could not be written.
    """
    terms = weighted_terms(recording)
    names = ["time", "episode", *state_names(recording.task), *ctrl_names(recording.task)]
    columns = [recording.time[:, None], recording.episode[:, None], recording.state, recording.ctrl]
    columns += [column[:, None] for column in terms.values()] + [recording.reward[:, None]]
    rows = np.concatenate(columns, axis=1)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*names, *(f"reward.{name}" for name in terms), "reward"])
    with progress_bar(len(rows), f"write {path.name}", "row", patience=PATIENCE) as bar:
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS].tolist()
            writer.writerows(block)
            bar.update(len(block))
    write_atomically(path, text.getvalue().encode())
    return len(rows)


def state_names(task: Task) -> list[str]:
    """The name of each entry of a flat state, such as qpos[2]."""
    sizes = {name: size for name, size, _ in experience_fields(task) if name not in NOT_OF_THE_STATE}
    return _entries(sizes)


def ctrl_names(task: Task) -> list[str]:
    """The name of each entry of the control, such as ctrl[0]."""
    return _entries({"ctrl": int(task.model.nu)})


def weighted_terms(recording: Recording) -> dict[str, Array]:
    """Each reward term, weighted, (n,), by name."""
    task, count = recording.task, len(recording.time)
    found: dict[str, Array] = {name: np.empty(count) for name in task.weights}
    with progress_bar(count, "reward terms", "row", patience=PATIENCE) as bar:
        for start in range(0, count, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            terms = task.reward_terms(task.observe(recording.state[block], recording.ctrl[block]))
            for name, weight in task.weights.items():
                found[name][block] = weight * terms[name]
            bar.update(len(recording.time[block]))
    return found


def _entries(sizes: dict[str, int]) -> list[str]:
    names: list[str] = []
    for name, size in sizes.items():
        names += [name] if size == 1 else [f"{name}[{index}]" for index in range(size)]
    return names
