"""What setup.cfg cannot state: the data files, among them one launch file for each task."""

import os
import re
from pathlib import Path

from setuptools import setup

PACKAGE = "polo_ros"
# resolved, because `colcon build --symlink-install` runs a link to this file in its build folder
ROOT = Path(__file__).resolve().parent
LAUNCH_FILES = Path("build", "launch")


def shared_folder(top: str) -> list[tuple[str, list[str]]]:
    """A folder with its sub-folders, below share/<package>: data_files itself is not recursive."""
    return [
        (f"share/{PACKAGE}/{folder}", [f"{folder}/{name}" for name in sorted(files)])
        for folder, _, files in sorted(os.walk(top))
        if files and "__pycache__" not in folder
    ]


def task_names() -> list[str]:
    """Names of the tasks, read from their source: importing it would need MuJoCo during the build."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / PACKAGE / "tasks").glob("*.py")]
    pattern = re.compile(r'^    name: ClassVar\[str\] = "(\w+)"$', re.MULTILINE)
    return sorted(name for source in sources for name in pattern.findall(source))


def launch_files() -> list[str]:
    """Copies of launch/polo.launch.py: a copy's name tells it which task to start, or that it is a fleet."""
    content = (ROOT / "launch" / "polo.launch.py").read_bytes()
    (ROOT / LAUNCH_FILES).mkdir(parents=True, exist_ok=True)
    copies = [LAUNCH_FILES / f"{name}.launch.py" for name in [*task_names(), "fleet"]]
    for copy in copies:
        path = ROOT / copy
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    return [copy.as_posix() for copy in copies]


setup(
    python_requires=">=3.11",  # colcon cannot read it from setup.cfg
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", launch_files()),
        *shared_folder("config"),
        *shared_folder("launch"),
        *shared_folder("models"),
    ],
)
