"""`polo export --format lerobot`: a recording as a LeRobot dataset, version 3.0, without pictures.

The layout is that of LeRobot 0.4 (https://github.com/huggingface/lerobot), which need not be installed:

    data/chunk-000/file-000.parquet            a row a frame
    meta/episodes/chunk-000/file-000.parquet   a row an episode: its rows in the data, its statistics
    meta/tasks.parquet, meta/stats.json, meta/info.json
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.recordings.export import ctrl_names, state_names
from polo_ros.recordings.recording import Recording
from polo_ros.tasks.task import Task

VERSION = "v3.0"
FILE = "chunk-000/file-000.parquet"
STATE, ACTION, REWARD = "observation.state", "action", "next.reward"
# the sizes that LeRobot itself states; a dataset that it extends begins another file beyond them
CHUNK_FILES, DATA_MB, VIDEO_MB = 1000, 100, 200


def export_lerobot(recording: Recording, path: Path) -> int:
    """Write a frame a transition: the flat state, the control executed in it, and the reward earned there.

    LeRobot takes the frames of an episode to be equally spaced in time. An episode of the recording is
    therefore split where a transition is missing.

    Args:
      recording: what is written.
      path: of the folder to make.

    Returns:
      The number of episodes.

    Raises:
      PoloError: the folder exists or cannot be written, or pyarrow or pandas is not installed.
    """
    require("lerobot", "a LeRobot dataset", "pandas", "pyarrow")
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists():
        raise PoloError(f"{path} exists; give another --out")
    task, bounds = recording.task, episode_bounds(recording)
    vectors = {STATE: (recording.state, state_names(task)), ACTION: (recording.ctrl, ctrl_names(task))}
    numbers = _numbers(recording, bounds)
    columns: dict[str, Any] = {}
    for name, (values, _) in vectors.items():
        flat = pa.array(values.astype(np.float32).ravel())
        # LeRobot reads a feature of one entry as a number, not as a list
        many = values.shape[1] > 1
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1]) if many else flat
    features = {name: values for name, (values, _) in vectors.items()} | numbers
    episodes = []
    with progress_bar(len(bounds) - 1, f"write {path.name}", "episode", patience=PATIENCE) as bar:
        for index, (begin, end) in enumerate(pairwise(bounds)):
            episodes.append(_episode(index, int(begin), int(end), task.summary, features))
            bar.update()
    described: dict[str, Any] = {
        name: {"dtype": "float32", "shape": [len(entries)], "names": entries}
        for name, (_, entries) in vectors.items()
    }
    for name, values in numbers.items():
        described[name] = {"dtype": str(values.dtype), "shape": [1], "names": None}
    info = _info(task, len(episodes), len(recording.time), described)
    with _new_folder(path) as folder:
        (folder / "data" / FILE).parent.mkdir(parents=True)
        (folder / "meta" / "episodes" / FILE).parent.mkdir(parents=True)
        pq.write_table(pa.table(columns | numbers), folder / "data" / FILE)
        pq.write_table(pa.Table.from_pylist(episodes), folder / "meta" / "episodes" / FILE)
        tasks = pd.DataFrame({"task_index": [0]}, index=[task.summary])
        tasks.to_parquet(folder / "meta" / "tasks.parquet")
        for name, content in {"info": info, "stats": statistics_of(features)}.items():
            (folder / "meta" / f"{name}.json").write_text(json.dumps(content, indent=2))
    return len(episodes)


def episode_bounds(recording: Recording) -> Array:
    """The first transition of each stretch without a gap, and the number of transitions: (episodes + 1,)."""
    missing = np.abs(np.diff(recording.time) - recording.task.timestep) > 0.5 * recording.task.timestep
    first = np.flatnonzero(missing | (np.diff(recording.episode) != 0)) + 1
    return np.concatenate([[0], first, [len(recording.time)]])


def statistics_of(features: dict[str, Array]) -> dict[str, dict[str, list[float]]]:
    """Least, largest, mean and standard deviation of each entry, and the number of frames, by feature."""
    found = {}
    for name, values in features.items():
        rows = values.reshape(len(values), -1).astype(float)
        parts = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
        found[name] = {part: row.tolist() for part, row in parts.items()} | {"count": [len(rows)]}
    return found


def _episode(index: int, begin: int, end: int, task: str, features: dict[str, Array]) -> dict[str, Any]:
    """The row of meta/episodes for the frames from `begin` up to `end`."""
    statistics = statistics_of({name: values[begin:end] for name, values in features.items()})
    return {
        "episode_index": index,
        "tasks": [task],
        "length": end - begin,
        "data/chunk_index": 0,
        "data/file_index": 0,
        "dataset_from_index": begin,
        "dataset_to_index": end,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
    } | {f"stats/{name}/{part}": row for name, parts in statistics.items() for part, row in parts.items()}


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name once it is complete.

    Raises:
      PoloError: it could not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as parent:
            folder = Path(parent) / "new"  # the temporary folder itself is its owner's alone
            folder.mkdir()
            yield folder
            folder.rename(path)
    except OSError as error:
        raise PoloError(f"{path} could not be written ({error.strerror})") from None


def _numbers(recording: Recording, bounds: Array) -> dict[str, Array]:
    """The features that are a number a frame, by name."""
    lengths = np.diff(bounds)
    frames = np.concatenate([np.arange(length) for length in lengths])
    numbers: dict[str, Any] = {
        REWARD: recording.reward.astype(np.float32),
        "timestamp": (frames * recording.task.timestep).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.concatenate([[index] * length for index, length in enumerate(lengths)]),
        "index": np.arange(len(frames)),
        "task_index": np.zeros(len(frames), np.int64),
    }
    return numbers


def _info(task: Task, episodes: int, frames: int, features: dict[str, Any]) -> dict[str, Any]:
    """The content of meta/info.json."""
    return {
        "codebase_version": VERSION,
        "robot_type": task.name,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": 1,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": DATA_MB,
        "video_files_size_in_mb": VIDEO_MB,
        "fps": _frames_a_second(task.timestep),
        "splits": {"train": f"0:{episodes}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": features,
    }


def _frames_a_second(timestep: float) -> int | float:
    """1 / timestep, as a whole number where it is one, which LeRobot expects."""
    rate = round(1.0 / timestep, 6)
    return int(rate) if rate.is_integer() else rate
