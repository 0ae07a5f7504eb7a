"""The Makefile: what it would run, and its sentence where Python or ROS 2 do not fit."""

import os
import subprocess
from pathlib import Path

import pytest
from workspace import SOURCE, outside_make

MAKEFILE = str(SOURCE / "Makefile")

# the extras of the developer's environment
DEVELOPER = "viewer,record,lerobot,rerun,tensorboard,hub,sweep,ray,dask,optuna,test"


def make(
    folder: Path, *arguments: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """`make` with this Makefile; variables are of the environment."""
    environment = {name: value for name, value in outside_make().items() if name != "ROS_DISTRO"}
    return subprocess.run(
        ["make", f"--file={MAKEFILE}", *arguments],
        cwd=folder, env=environment | variables, input=stdin, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def fake_python(folder: Path, refused: str) -> str:
    """A Python that fails at code that holds `refused`."""
    script = folder / "python-fake"
    script.write_text(f'#!/bin/sh\ncase "$2" in *{refused}*) exit 1;; esac\nexit 0\n')
    script.chmod(0o755)
    return str(script)


def would_install(*arguments: str, **variables: str) -> str:
    """What `make install` would run in a fresh clone."""
    return make(SOURCE, "--dry-run", "--always-make", "install", *arguments, **variables).stdout


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), ""),
        (("VIEW=1", "SEED=4"), "--viewer --seed 4"),
        (("PORT=8090",), "--port 8090"),
        (("ROBOTS=3", "TASK=cartpole_swingup"), "--robots 3 --task cartpole_swingup"),
        (("ARGS=--no-learn",), "--no-learn"),
    ],
)
def test_demo_passes_its_options_on(arguments: tuple[str, ...], options: str) -> None:
    shown = make(SOURCE, "--dry-run", "demo", *arguments)
    command = shown.stdout.splitlines()[-1]
    patient = ["env", "--block-signal=INT,TERM"]
    assert command.split() == [*patient, ".venv/bin/python", "-m", "polo_ros.nodes.demo", *options.split()]


def test_help_names_every_target_that_a_user_calls() -> None:
    shown = make(SOURCE, "help").stdout
    assert all(
        f"make {target} " in shown for target in ("demo", "learn", "shell", "check", "test", "docs", "clean")
    )


@pytest.mark.parametrize(
    ("refused", "sentence"), [("version_info", "needs Python 3.11 or newer"), ("ensurepip", "apt install")]
)
def test_an_unfit_python_is_refused_in_one_sentence(tmp_path: Path, refused: str, sentence: str) -> None:
    result = make(tmp_path, "install", f"PYTHON={fake_python(tmp_path, refused)}")
    assert result.returncode != 0
    assert sentence in result.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    result = make(tmp_path, "install", "PYTHON=no-such-python")
    assert result.returncode != 0
    assert "there is no no-such-python" in result.stderr


def test_torch_can_come_from_an_index_of_cpu_wheels() -> None:
    assert "--extra-index-url https://example.org/cpu" in would_install("TORCH_INDEX=https://example.org/cpu")


@pytest.mark.parametrize(
    ("arguments", "folder", "extra"),
    [((), ".venv", "ros-jazzy"), (("ROS=kilted",), ".venv-kilted", "ros-kilted")],
)
def test_each_set_of_wheels_has_an_environment(arguments: tuple[str, ...], folder: str, extra: str) -> None:
    shown = would_install(*arguments)
    assert f"-m venv --clear  {folder}\n" in shown
    assert f"-c {folder}/constraints.txt  -e '.[{extra},{DEVELOPER}]'" in shown


def test_a_sourced_ros_2_brings_its_own_packages_and_numpy() -> None:
    shown = would_install(ROS_DISTRO="jazzy")
    assert "-m venv --clear --system-site-packages .venv\n" in shown
    assert "sed '/^numpy==/d' constraints.txt" in shown
    assert f"-e '.[{DEVELOPER}]'" in shown


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("ROS=foxy",), {}, "there are wheels of jazzy kilted"),
        (("ROS=kilted",), {"ROS_DISTRO": "jazzy"}, "ROS 2 jazzy is sourced"),
    ],
)
def test_a_ros_2_that_there_is_not_is_refused_in_one_sentence(
    arguments: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    result = make(SOURCE, "install", *arguments, **variables)
    assert result.returncode != 0
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(not (SOURCE / ".venv" / ".installed").exists(), reason="make has not installed .venv")
def test_polo_is_a_command_in_the_shell() -> None:
    installed = "--old-file=.venv/.installed"  # as it is: this test does not install
    found = make(SOURCE, "shell", installed, stdin="command -v polo\n", HOME=os.devnull)
    assert found.stdout.splitlines()[-1] == str(SOURCE / ".venv" / "bin" / "polo")
