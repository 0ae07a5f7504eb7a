"""Fixtures for the tests of the core."""

import pytest

from polo_ros.tasks import Task, make_task


@pytest.fixture
def cartpole() -> Task:
    return make_task("cartpole_swingup")


@pytest.fixture
def humanoid_getup() -> Task:
    return make_task("humanoid_getup")
