"""What `polo export` writes, read back."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose
from rerun.chunk import RrdReader

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.recordings.export import export_csv
from polo_ros.recordings.lerobot import ACTION, FILE, REWARD, STATE, export_lerobot
from polo_ros.recordings.recording import Recording
from polo_ros.recordings.rerun_file import export_rerun
from polo_ros.tasks import task_class

STEPS = 20


@pytest.fixture
def recording() -> Recording:
    """Two episodes of 8 and 12 transitions of a cart-pole; in the second one a transition is missing."""
    task = task_class("cartpole_swingup")()
    random = np.random.default_rng(0)
    state = np.array([task.start_state(random) for _ in range(STEPS)])
    ctrl = random.uniform(-1.0, 1.0, (STEPS, task.model.nu))
    time = 5.0 + task.timestep * np.arange(STEPS)
    time[15:] += task.timestep
    episode = np.repeat([0, 1], [8, STEPS - 8])
    reward = task.reward(task.observe(state, ctrl))
    return Recording(task, time, episode, state, ctrl, reward, (), (), ())


def test_a_table_holds_a_row_a_transition(recording: Recording, tmp_path: Path) -> None:
    assert export_csv(recording, tmp_path / "run.csv") == STEPS
    rows = list(csv.DictReader((tmp_path / "run.csv").open()))
    assert_allclose([float(row["qpos[1]"]) for row in rows], recording.state[:, 1])
    assert_allclose([float(row["ctrl"]) for row in rows], recording.ctrl[:, 0])
    assert_allclose([float(row["reward"]) for row in rows], recording.reward)
    parts = [sum(float(row[f"reward.{name}"]) for name in recording.task.weights) for row in rows]
    assert_allclose(parts, recording.reward, atol=1e-9)


@pytest.mark.parametrize(
    ("write", "counts"),
    [
        (export_csv, [8, 8, 4, 8, 8, 4]),  # reward terms, then rows
        (export_lerobot, [1, 1, 1]),  # episodes; one has a gap
        (
            export_rerun,
            [8, 8, 4, *[1] * 8],
        ),  # reward terms, then curves
    ],
)
def test_an_export_shows_how_far_it_is(
    write: Callable[[Recording, Path], int],
    counts: list[int],
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[int] = []
    monkeypatch.setattr("polo_ros.recordings.export.BLOCK_ROWS", 8)
    monkeypatch.setattr("tqdm.tqdm.update", lambda _, count=1: done.append(count))
    write(recording, tmp_path / "run")
    assert done == counts


def test_a_lerobot_dataset_holds_the_transitions(recording: Recording, tmp_path: Path) -> None:
    out, task = tmp_path / "dataset", recording.task
    assert export_lerobot(recording, out) == 3  # two episodes, the second one split where one is missing
    frames = pq.read_table(out / "data" / FILE).to_pydict()
    assert_allclose(frames[STATE], recording.state, rtol=1e-6)
    assert_allclose(frames[ACTION], recording.ctrl[:, 0], rtol=1e-6)  # LeRobot's form of a single entry
    assert_allclose(frames[REWARD], recording.reward, rtol=1e-6)
    episodes = pq.read_table(out / "meta" / "episodes" / FILE).to_pylist()
    assert [each["length"] for each in episodes] == [8, 7, 5]
    for each in episodes:
        rows = slice(each["dataset_from_index"], each["dataset_to_index"])
        assert frames["episode_index"][rows] == [each["episode_index"]] * each["length"]
        assert frames["frame_index"][rows] == list(range(each["length"]))
        real = recording.time[rows] - recording.time[rows][0]
        assert_allclose(frames["timestamp"][rows], real, atol=1e-6)
        assert_allclose(each[f"stats/{STATE}/mean"], recording.state[rows].mean(0))
    info = json.loads((out / "meta" / "info.json").read_text())
    assert info["fps"] == round(1 / task.timestep)
    assert (info["total_episodes"], info["total_frames"]) == (3, STEPS)
    assert info["features"].keys() == frames.keys()
    assert info["features"][STATE]["shape"] == [task.state_size] == [len(info["features"][STATE]["names"])]
    tasks = pq.read_table(out / "meta" / "tasks.parquet").to_pandas()
    assert list(tasks.index) == [task.summary] and list(tasks.task_index) == [0]
    stats = json.loads((out / "meta" / "stats.json").read_text())
    assert_allclose(stats[ACTION]["max"], recording.ctrl.max(0))
    with pytest.raises(PoloError, match="exists; give another --out"):
        export_lerobot(recording, out)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_rerun_file_holds_the_curves(recording: Recording, tmp_path: Path) -> None:
    out = tmp_path / "run.rrd"
    for _ in range(2):  # an older file is replaced
        assert export_rerun(recording, out) == STEPS
    curves: dict[str, Array] = {}
    for chunk in RrdReader(out).stream():
        batch = chunk.to_record_batch()
        if "Scalars:scalars" in batch.schema.names:
            curves[chunk.entity_path] = np.array(batch.column("Scalars:scalars").to_pylist())
            seconds = np.array(batch.column("time").cast("int64").to_pylist()) / 1e9
            assert_allclose(seconds, recording.time - recording.time[0], atol=1e-9)
    assert_allclose(curves["/state"], recording.state)
    assert_allclose(curves["/ctrl"], recording.ctrl)
    assert_allclose(curves["/reward"][:, 0], recording.reward)
    parts = sum(curves[f"/reward/{name}"] for name in recording.task.weights)
    assert_allclose(parts, curves["/reward"], atol=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == ["run.rrd"]


@pytest.mark.parametrize(
    ("module", "export", "extra"), [("pyarrow", export_lerobot, "lerobot"), ("rerun", export_rerun, "rerun")]
)
def test_a_missing_extra_is_named(
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    extra: str,
    export: Callable[[Recording, Path], int],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PoloError, match=rf"pip install 'polo_ros\[{extra}\]'"):
        export(recording, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(recording: Recording, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for export in (export_lerobot, export_rerun):
        with pytest.raises(PoloError, match="could not be written"):
            export(recording, tmp_path / "file" / "out")
