"""Fixtures for the tests of the core, and the markers of all tests."""

from pathlib import Path

import pytest

from polo_ros.tasks import Task, make_task

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, such as unit or graph.

    Coverage is that of the unit tests: nodes and commands are processes of their own, and tracing the rest
    takes half a minute.
    """
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        item.add_marker(folder)
        if folder != "unit":
            item.add_marker("no_cover")


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
