"""The Makefile: what it would run, and its sentence where Python does not do."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from workspace import SOURCE

PASSED_ON = re.compile("MAKE.*|MFLAGS|ARGS|VIEW|SEED|PYTHON|TORCH_INDEX")
MAKEFILE = str(SOURCE / "Makefile")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # these tests may themselves run under make, whose flags and variables would pass on
    environment = {name: value for name, value in os.environ.items() if not PASSED_ON.fullmatch(name)}
    command = ["make", f"--file={MAKEFILE}", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def fake_python(folder: Path, refused: str) -> str:
    """A Python that fails at code that holds `refused`."""
    script = folder / "python-fake"
    script.write_text(f'#!/bin/sh\ncase "$2" in *{refused}*) exit 1;; esac\nexit 0\n')
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((), ""), (("VIEW=1", "SEED=4"), "--viewer --seed 4"), (("ARGS=--no-learn",), "--no-learn")],
)
def test_demo_passes_its_options_on(arguments: tuple[str, ...], options: str) -> None:
    shown = make(SOURCE, "--dry-run", "demo", *arguments)
    command = shown.stdout.splitlines()[-1]
    assert command.split() == [".venv/bin/python", "-m", "polo_ros.nodes.demo", *options.split()]


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
    shown = make(SOURCE, "--dry-run", "--always-make", "install", "TORCH_INDEX=https://example.org/cpu")
    assert "-r requirements.txt" in shown.stdout
    assert "--extra-index-url https://example.org/cpu" in shown.stdout
