"""Rows of results that survive an interruption."""

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


class Rows:
    """A CSV file to which rows are appended, so that an interrupted command goes on where it was.

    Args:
      path: of the file; its first line is the command, for the reader.
      columns: its header.

    Attributes:
      known: the rows that it held already, by column.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.known: list[dict[str, str]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            self.known = list(csv.DictReader(lines))
        self._file = path.open("a", newline="")
        self._writer = csv.DictWriter(self._file, columns)
        if not self.known and path.stat().st_size == 0:
            command = " ".join([sys.orig_argv[2], *sys.argv[1:]])
            self._file.write(f"# python -m {command}\n")
            self._writer.writeheader()
            self._file.flush()

    def append(self, **row: object) -> None:
        """Write a row at once."""
        self._writer.writerow(row)
        self._file.flush()
