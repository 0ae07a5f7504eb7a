"""The README stays short, and its Python runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
LINES = 100


def test_readme_is_read_in_one_sitting() -> None:
    assert len(README.read_text().splitlines()) <= LINES


def test_python_of_the_readme_swings_the_pole_up(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    program += "print(float(task.measured(task.observe(world.state))))\n"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout) < 0.3  # rad from upright
