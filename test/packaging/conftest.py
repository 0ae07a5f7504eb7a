"""The package, built once for all tests of this folder: by colcon and by pip."""

import subprocess
import sys
from pathlib import Path

import pytest
from launching import DOMAIN
from workspace import colcon_build, copy_source, sourced_environment


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The install folder of a colcon workspace."""
    return colcon_build(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def sourced(install: Path) -> dict[str, str]:
    """The environment variables after sourcing the workspace."""
    return sourced_environment(install)


@pytest.fixture(scope="session")
def pip_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `pip install` of the source tree installs, without dependencies."""
    folder = tmp_path_factory.mktemp("pip")
    target = folder / "target"
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, f"--target={target}", str(copy_source(folder))],
        check=True,
        timeout=120,
    )
    return target


@pytest.fixture(scope="session")
def environment(sourced: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a launch in a ROS domain of this process."""
    return {
        **sourced,
        "ROS_DOMAIN_ID": str(DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path_factory.mktemp("ros_log")),
    }
