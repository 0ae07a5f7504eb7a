"""TensorBoard's events of a training, read back."""

import csv
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from polo_ros.agent.training import train
from polo_ros.errors import PoloError
from polo_ros.parameters.settings import Settings


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    """The steps and values of a curve, as TensorBoard shows it."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_events_are_the_rows_of_the_metrics(settings: Settings, tmp_path: Path) -> None:
    train(settings, 24, 12, 3, tmp_path, resume=False, tensorboard=True)
    train(settings, 36, 12, 3, tmp_path, resume=True, tensorboard=True)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()[1:]))
    for name in ("reward", "updates"):
        steps, values = zip(*scalars(tmp_path, name), strict=True)
        assert steps == (12, 24, 36) == tuple(int(row["steps"]) for row in rows)
        assert values == pytest.approx([float(row[name]) for row in rows], rel=1e-4)


def test_a_resumed_run_hides_what_came_after_its_checkpoint(settings: Settings, tmp_path: Path) -> None:
    train(settings, 12, 12, 3, tmp_path, resume=False, tensorboard=True)
    checkpoint = (tmp_path / "checkpoint.safetensors").read_bytes()
    train(settings, 24, 12, 3, tmp_path, resume=True, tensorboard=True)
    (tmp_path / "checkpoint.safetensors").write_bytes(checkpoint)
    train(settings, 24, 12, 3, tmp_path, resume=True, tensorboard=True)
    assert [step for step, _ in scalars(tmp_path, "reward")] == [12, 24]


def test_no_events_unless_asked_for(settings: Settings, tmp_path: Path) -> None:
    train(settings, 12, 12, 3, tmp_path, resume=False)
    assert not list(tmp_path.glob("events.*"))


def test_a_missing_extra_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(PoloError, match=r"pip install 'polo_ros\[tensorboard\]'"):
        train(settings, 12, 12, 3, tmp_path, resume=False, tensorboard=True)
