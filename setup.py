"""The build definition, for colcon and for pip."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "polo_ros"
NODES = ("planner_node", "learner_node", "simulator_node", "viewer_node")


def version() -> str:
    """The version, from the one place that states it."""
    text = Path(PACKAGE, "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found is not None
    return found.group(1)


def share(top: str) -> list[tuple[str, list[str]]]:
    """A folder with its sub-folders, below share/<package>: data_files itself is not recursive."""
    return [
        (f"share/{PACKAGE}/{folder}", [f"{folder}/{name}" for name in sorted(files)])
        for folder, _, files in sorted(os.walk(top))
        if files and "__pycache__" not in folder
    ]


setup(
    name=PACKAGE,
    version=version(),
    description="Plan online, learn offline: MPPI with a learned terminal value, as ROS 2 nodes over MuJoCo.",
    maintainer="polo_ros maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *share("config"),
        *share("launch"),
        *share("models"),
    ],
    # rclpy and the messages come with ROS 2, or from requirements-ros.txt
    install_requires=[
        "numpy>=1.26",
        "mujoco>=4.0,<5",
        "transforms3d>=0.4.1",
        "torch==2.13.0",
        "safetensors>=0.4",
        "scipy>=1.11",
        "matplotlib>=3.6",
        "tqdm>=4.66",
        "PyYAML>=6.0",
    ],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            *(f"{node} = {PACKAGE}.nodes.{node}:main" for node in NODES),
            f"polo = {PACKAGE}.cli:main",
        ],
        # other packages list their tasks here: <name> = <module>:<class>
        f"{PACKAGE}.tasks": [],
    },
)
