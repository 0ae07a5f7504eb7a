"""The CSV file of many jobs: complete after each job, and refused where it belongs to another one."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from polo_ros.errors import PoloError
from polo_ros.files import write_atomically

Row = dict[str, Any]
"""A line of a results file by column; the values are numbers and strings."""
Key = tuple[str, ...]


class ResultsFile:
    """Rows of results as text, in the order of their jobs.

    Args:
      file: the CSV file; its first line is the header, its second names the columns.
      header: a comment with the command and its settings.
      settings: columns that identify a job.
      results: the other columns.

    Raises:
      PoloError: the file exists and has another header, other columns or an incomplete row.
    """

    def __init__(self, file: Path, header: str, settings: Sequence[str], results: Sequence[str]) -> None:
        self.file = file
        self._header = header
        self._settings = tuple(settings)
        self._columns = [*settings, *results]
        self._rows = self._read() if file.exists() else pd.DataFrame(columns=self._columns, dtype=str)

    def missing(self, jobs: Iterable[Row]) -> list[Row]:
        """The jobs that have no row."""
        done = set(self._keys())
        return [job for job in jobs if self.key(job) not in done]

    def add(self, rows: Iterable[Row], jobs: Iterable[Row] = ()) -> None:
        """Add rows and replace the file.

        Args:
          rows: by column.
          jobs: all jobs in order; rows of other jobs are kept after theirs, in the order of the file.

        Raises:
          PoloError: as for `write`.
        """
        added = pd.DataFrame(
            [[text(row[name]) for name in self._columns] for row in rows], columns=self._columns
        )
        order = {self.key(job): place for place, job in enumerate(jobs)}
        grown = pd.concat([self._rows, added], ignore_index=True)
        places = pd.Series([order.get(key, len(order)) for key in self._keys(grown)])
        self._rows = grown.loc[places.sort_values(kind="stable").index].reset_index(drop=True)
        self.write()

    def write(self) -> None:
        """Replace the file as a whole.

        Raises:
          PoloError: the file could not be written; the previous one is untouched.
        """
        table = self._rows.to_csv(index=False, lineterminator="\n")
        write_atomically(self.file, f"{self._header}\n{table}".encode())

    @property
    def rows(self) -> list[dict[str, str]]:
        """All rows as text."""
        return [{str(name): value for name, value in row.items()} for row in self._rows.to_dict("records")]

    def frame(self, jobs: Iterable[Row]) -> pd.DataFrame:
        """The rows of some jobs, with numbers as numbers."""
        wanted = {self.key(job) for job in jobs}
        chosen = self._rows[[key in wanted for key in self._keys()]]
        return pd.read_csv(io.StringIO(chosen.to_csv(index=False)))

    def key(self, row: Mapping[str, object]) -> Key:
        """What identifies a row's job."""
        return tuple(text(row[name]) for name in self._settings)

    def _keys(self, rows: pd.DataFrame | None = None) -> list[Key]:
        chosen = self._rows if rows is None else rows
        return list(chosen[list(self._settings)].itertuples(index=False, name=None))

    def _read(self) -> pd.DataFrame:
        with self.file.open(encoding="utf-8", newline="") as stream:
            header = stream.readline().rstrip("\n")
            reader = csv.DictReader(stream)  # pandas would not tell a missing field from an empty one
            columns, rows = list(reader.fieldnames or ()), list(reader)
        if columns != self._columns:
            raise PoloError(f"{self.file} has other columns than this run writes; give another --out")
        if header != self._header:
            raise PoloError(f"{self.file} was begun with other settings ({header}); give another --out")
        if any(None in row or None in row.values() for row in rows):
            raise PoloError(f"{self.file} has an incomplete row; remove its job's rows to run that job again")
        return pd.DataFrame(rows, columns=self._columns)


def text(value: object) -> str:
    """A value as the CSV file writes it: floats to six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
