"""What `polo reproduce` runs: jobs, one a seed and setting, whose rows make a CSV file and a picture."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

Row = dict[str, Any]
"""A line of the CSV file by column; arrays have no place in it."""


class Experiment(ABC):
    """A figure or table; subclasses fill in the abstract parts.

    A job is identified by its settings, which are the first columns of its rows; interrupted runs go on
    with the jobs that have none.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    # columns that identify a job, then those it measures
    settings: ClassVar[tuple[str, ...]]
    results: ClassVar[tuple[str, ...]]

    @abstractmethod
    def jobs(self, quick: bool) -> Sequence[Row]:
        """The settings of every job, by the columns of `settings`; fewer and smaller ones if `quick`."""

    @abstractmethod
    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Do one job, in a process and on a thread of its own.

        Args:
          job: its settings.
          quick: as for `jobs`.
          folder: of the CSV file; what jobs share, such as trained weights, is kept in it.

        Returns:
          Its rows, by the columns of `results`.
        """

    @abstractmethod
    def draw(self, rows: Sequence[Mapping[str, str]], folder: Path) -> None:
        """Write the pictures of the rows, as read from the CSV file, into a folder."""

    @abstractmethod
    def report(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Lines of Markdown that say what the rows show, means with their spread."""

    def fixed(self, quick: bool) -> str:
        """What all jobs share, for the header of the CSV file."""
        return ""
