"""Fixtures for the tests of the core, and the markers of all tests."""

from pathlib import Path

import pytest

from polo_ros.tasks import Task, make_task

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the name of its folder, such as unit or graph."""
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])


@pytest.fixture
def cartpole() -> Task:
    return make_task("cartpole_swingup")


@pytest.fixture
def humanoid_getup() -> Task:
    return make_task("humanoid_getup")
