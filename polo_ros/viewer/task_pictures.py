"""A picture of every task's start state."""

from pathlib import Path

import numpy as np

from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.tasks import make_task, task_classes
from polo_ros.viewer.film_strip import thumbnail


def write_pictures(folder: Path) -> dict[str, Path]:
    """Write a thumbnail of every task's start state of seed 0.

    Returns:
      The path of each task's picture.

    Raises:
      PoloError: a task cannot be loaded, or a picture could not be written.
    """
    paths = {name: folder / f"{name}.png" for name in task_classes()}
    with progress_bar(len(paths), "draw tasks", "picture", patience=PATIENCE) as bar:
        for name, path in paths.items():
            task = make_task(name)
            thumbnail(task, task.start_state(np.random.default_rng(0)), path)
            bar.update()
    return paths
