"""What the command line says about bad input."""

import pytest

from polo_ros.cli import main


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command prints when it refuses its arguments."""
    capsys.readouterr()
    assert main(arguments) == 1
    return refusal(capsys)


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command has printed, below the bar of its progress, if there is one."""
    captured = capsys.readouterr()
    assert captured.out == ""
    *progress, line = captured.err.splitlines()
    assert line.startswith("polo: ")
    assert all("/" in bar for bar in progress)
    return line
