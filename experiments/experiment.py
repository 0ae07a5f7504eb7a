"""What `polo reproduce` runs: jobs, one for each setting and seed, whose rows fill a CSV file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from polo_ros.sweeps.results_file import Row

__all__ = ["Experiment", "Row"]


class Experiment(ABC):
    """A figure or a table; subclasses fill in the abstract parts.

    A job is identified by its settings, which are the first columns of its rows. An interrupted run goes on
    with the jobs that have no row yet.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    # columns that identify a job, then those that it measures
    settings: ClassVar[tuple[str, ...]]
    results: ClassVar[tuple[str, ...]]

    @abstractmethod
    def jobs(self, quick: bool) -> Sequence[Row]:
        """The settings of every job, by the columns of `settings`; a few jobs of seconds if `quick`."""

    @abstractmethod
    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        """Do one job on one thread, usually in a worker process.

        Args:
          job: its settings.
          quick: as for `jobs`.
          folder: the folder of the CSV file; trained weights are kept in it.

        Returns:
          The job's rows, by the columns of `results`.
        """

    @abstractmethod
    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        """Write the pictures into a folder.

        Args:
          frame: the rows of all jobs, in the jobs' order, as `pandas.read_csv` reads them.
          folder: of the pictures.
        """

    @abstractmethod
    def report(self, frame: pd.DataFrame) -> list[str]:
        """Lines of Markdown that state the results, means with their spread; `frame` as for `draw`."""

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        """The settings that all jobs share, for the header of the CSV file; JSON values and dataclasses."""
        return {}

    def training(self, job: Row) -> str:
        """The name of the training whose weights a job needs, empty if none.

        Of the jobs that name the same training, one runs first and trains; the others run when it is done.
        """
        return ""
