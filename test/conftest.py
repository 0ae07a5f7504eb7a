"""Fixtures for the tests of the core, and the markers of all tests."""

import os
from pathlib import Path

import pytest

from polo_ros.tasks import Task, make_task

# Set before PyTorch is imported. The networks are small, and threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

TESTS = Path(__file__).parent
# they begin first, so that no worker is left with one of them at the end
LONGEST = (
    "test_viewer_page", "test_learning", "test_doctor", "test_reproduce", "test_demo", "test_commands",
    "test_tasks", "test_solution_quality", "test_one_source", "test_safety", "test_sweep",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, such as unit or graph, and order the files.

    Coverage is that of the unit tests: nodes and commands are processes of their own, and tracing the rest
    takes half a minute.
    """
    places = places_of(list(dict.fromkeys(item.path for item in items)))
    items.sort(key=lambda item: places[item.path])
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        item.add_marker(folder)
        if folder != "unit":
            item.add_marker("no_cover")


def places_of(files: list[Path]) -> dict[Path, float]:
    """The place of each test file in the order, 0 to 1.

    Files that start nodes, most of whose time is waiting, are spread evenly among those that compute.
    """
    files = sorted(files, key=lambda file: (file.stem not in LONGEST, file))
    waiting = [file for file in files if TESTS / "graph" in file.parents]
    computing = [file for file in files if file not in waiting]
    return {file: (i + 0.5) / len(kind) for kind in (waiting, computing) for i, file in enumerate(kind)}


@pytest.fixture
def cartpole() -> Task:
    return make_task("cartpole_swingup")


@pytest.fixture
def humanoid_getup() -> Task:
    return make_task("humanoid_getup")


@pytest.fixture
def no_film_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """An episode's film strip takes ten times as long as the episode of a test."""
    monkeypatch.setattr("polo_ros.agent.episode.Episode.draw", lambda *_: None)
