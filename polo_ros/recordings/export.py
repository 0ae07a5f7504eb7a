"""`polo export`: a recording as a table for other programs."""

import csv
import io
from pathlib import Path

import numpy as np

from polo_ros.files import write_atomically
from polo_ros.learner.experience import experience_fields
from polo_ros.recordings.recording import Recording


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
    task = recording.task
    names = []
    for name, size, _ in experience_fields(task)[:-1]:
        names += [name] if size == 1 else [f"{name}[{index}]" for index in range(size)]
    terms = task.reward_terms(task.observe(recording.state, recording.ctrl))
    weighted = [weight * terms[name] for name, weight in task.weights.items()]
    columns = [recording.time[:, None], recording.episode[:, None], recording.state, recording.ctrl]
    columns += [column[:, None] for column in weighted] + [recording.reward[:, None]]
    rows = np.concatenate(columns, axis=1)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*names, *(f"reward.{name}" for name in task.weights), "reward"])
    writer.writerows(rows.tolist())
    write_atomically(path, text.getvalue().encode())
    return len(rows)
