"""An experiment of tiny jobs, some of which misbehave; `python products.py FOLDER` reproduces it."""

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from experiments import Experiment, Row
from polo_ros.errors import PoloError


@dataclass(frozen=True)
class Products(Experiment):
    """Two rows a job: number times factor, and twice that; each run of a job leaves a file behind."""

    folder: Path
    # job 1 waits for this file, if any is named
    awaited: str = ""

    name: ClassVar[str] = "products"
    summary: ClassVar[str] = "products of numbers"
    settings: ClassVar[tuple[str, ...]] = ("number", "factor")
    results: ClassVar[tuple[str, ...]] = ("part", "product")

    def jobs(self, quick: bool) -> Sequence[Row]:
        return [{"number": number, "factor": 1.0 / 3.0} for number in range(2 if quick else 4)]

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        number = job["number"]
        (self.folder / f"job{number}-{os.getpid()}-{time.time_ns()}").touch()
        if number == 1 and self.awaited:
            wait_for((self.folder / self.awaited).exists)
        return [{"part": part, "product": number * part * job["factor"]} for part in (1, 2)]

    def draw(self, frame: pd.DataFrame, folder: Path) -> None:
        (folder / "products.png").touch()

    def report(self, frame: pd.DataFrame) -> list[str]:
        return [f"{len(frame)} rows"]

    def fixed(self, quick: bool) -> Mapping[str, Any]:
        return {"parts": 2}

    @property
    def file(self) -> Path:
        return self.folder / "products.csv"

    @property
    def runs(self) -> list[int]:
        """The jobs that were begun, in order."""
        marks = sorted(self.folder.glob("job*"), key=lambda path: path.name.split("-")[2])
        return [int(path.name.split("-")[0].removeprefix("job")) for path in marks]

    @property
    def workers(self) -> set[int]:
        """The processes that jobs ran in."""
        return {int(path.name.split("-")[1]) for path in self.folder.glob("job*")}


class LastFirst(Products):
    """Job 0 ends once job 1 is in the table."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 0:
            wait_for(lambda: "\n1," in self.file.read_text())
        return super().run(job, quick, folder)


class Refusing(Products):
    """Job 1 refuses what it is given."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 1:
            raise PoloError("1 is no number")
        return super().run(job, quick, folder)


class Dying(Products):
    """Job 1 has its process killed."""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        if job["number"] == 1:
            wait_for(lambda: "\n0," in self.file.read_text())
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(job, quick, folder)


class Sharing(Products):
    """All jobs but job 0 need one training, which fails if it is run twice."""

    def training(self, job: Row) -> str:
        return "shared" if job["number"] else ""

    def run(self, job: Row, quick: bool, folder: Path) -> Sequence[Row]:
        weights = folder / "shared" / "weights"
        if self.training(job) and not weights.exists():
            weights.parent.mkdir()  # fails in the second process
            time.sleep(0.2)
            weights.touch()
        return super().run(job, quick, folder)


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def thread_counts(_: object) -> tuple[int, str]:
    """The threads of torch and of BLAS in the process that runs this."""
    import torch

    return torch.get_num_threads(), os.environ.get("OPENBLAS_NUM_THREADS", "")


if __name__ == "__main__":
    from experiments import __main__ as command
    from experiments import reproduce

    # pickle finds the class by the module's name, which is another one here than in worker processes
    kind: type[Products] = importlib.import_module("products").Products
    folder = Path(sys.argv[1])
    reproduce.experiment = lambda name: kind(folder, "go")
    sys.exit(command.main(["products", "--out", str(folder), "--workers", "2"]))
