"""Progress bars: what is shown, and when."""

import pytest

from polo_ros.progress import progress_bar


def test_a_file_gets_lines_with_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(3, "plan", "step") as bar:
        bar.update(3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("plan:   0%")
    assert lines[-1].startswith("plan: 100%") and "3/3" in lines[-1]


def test_what_takes_less_than_the_patience_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(3, "plan", "step", patience=60.0) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""
