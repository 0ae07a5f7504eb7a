"""The README's and the docs' commands run, and what is generated is up to date."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from domains import claim_domain
from matplotlib.image import imread

from polo_ros.parameters.documentation import parameters_markdown, tasks_markdown
from polo_ros.tasks import task_classes
from polo_ros.viewer.film_strip import THUMBNAIL

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
IN_OWN_ENVIRONMENT = Path(sys.prefix).resolve() == (ROOT / ".venv").resolve()


def commands() -> list[str]:
    """Every line of every bash block, in order."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), flags=re.DOTALL):
            found += [line for line in block.splitlines() if line.strip()]
    return found


def test_the_pages_have_commands() -> None:
    assert "make demo" in commands()
    assert "make test" in commands()


def test_every_command_is_of_a_kind_that_is_run_here_or_in_the_launch_tests() -> None:
    kinds = {shlex.split(command)[0] for command in commands()}
    assert kinds <= {"make", "polo", "ros2", "colcon", "python"}


def test_polo_commands(tmp_path: Path) -> None:
    polo = [command for command in commands() if command.startswith("polo ")]
    assert polo
    for command in polo:
        arguments = [sys.executable, "-m", "polo_ros", *shlex.split(command)[1:]]
        ended = subprocess.run(
            arguments, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, f"{command}: {ended.stderr}"


def test_benchmark_commands_are_modules() -> None:
    named = [command.split()[2] for command in commands() if command.startswith("python -m benchmarks.")]
    for module in named:
        ended = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not IN_OWN_ENVIRONMENT, reason="make demo installs into .venv; these tests run elsewhere")
def test_make_demo(tmp_path: Path) -> None:
    domain, claim = claim_domain()
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    command = ["make", "demo", f"ARGS=--out {tmp_path}"]
    with claim:
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "demo.png").stat().st_size > 10_000


@pytest.mark.skipif(
    shutil.which("ros2") is None, reason="ros2 comes with a ROS 2 distribution, not from PyPI"
)
def test_launch_arguments_can_be_shown() -> None:
    command = ["ros2", "launch", "polo_ros", "humanoid_getup.launch.py", "--show-args"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "autostart" in ended.stdout


def test_ci_calls_the_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_parameter_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == parameters_markdown(), (
        "write it anew: polo parameters > docs/parameters.md"
    )


def test_task_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "tasks.md").read_text() == tasks_markdown(), (
        "write it anew: polo tasks --markdown > docs/tasks.md"
    )


def test_every_task_has_a_picture_and_no_picture_is_left_over() -> None:
    pictures = sorted((ROOT / "docs" / "tasks").iterdir())
    assert [picture.name for picture in pictures] == [f"{name}.png" for name in task_classes()], (
        "write them anew: polo tasks --pictures docs/tasks"
    )
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 60_000
        pixels = imread(picture)
        assert pixels.shape[1::-1] == THUMBNAIL
        assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20, f"{picture.name} is blank"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
