"""What the fault commands share: real nodes with a probe, attempts, process figures.

The nodes are forked from one process that has imported them (`test/support/node_server.py`), which saves the
seconds that each start of a node spends on imports. A forked node is a process of its own: it has its own
memory, threads, descriptors, signals and exit code.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support"))

import harness  # noqa: E402
from harness import Graph as Graph  # noqa: E402

from benchmarks.faults.rows import RESULTS, Rows  # noqa: E402

# a machine that is busy with other things may starve a node for a minute
harness.DEADLINE = 300.0

COLUMNS = ("fault", "case", "seed", "attempt", "survived", "lost", "safe_s", "said")


@dataclass(frozen=True)
class Attempt:
    """The outcome of one fault.

    Attributes:
      case: what was done.
      survived: whether everything that was to go on went on, and the rest recovered.
      lost: updates of the learner that were lost; None where none could be.
      safe_s: wall time from the fault to the safe action, in s; None where no motion was to be stopped.
      said: what the nodes said of it.
    """

    case: str
    survived: bool
    lost: int | None = None
    safe_s: float | None = None
    said: str = ""


def arguments(description: str | None, count: int, name: str) -> argparse.ArgumentParser:
    """A command line with a count, a seed and a file for the rows."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=count, help="tries")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.csv")
    return parser


def repeat(fault: str, options: argparse.Namespace, attempt: Callable[[int], Attempt]) -> int:
    """Make the attempts that the file does not hold yet and print what all come to; 1 where one failed.

    An attempt that raises counts as not survived, with what it raised.

    Args:
      fault: its name in the rows.
      options: count, seed and out, as `arguments` gives them.
      attempt: of the number that it is given.
    """
    rows = Rows(options.out, COLUMNS)
    done = {
        int(row["attempt"])
        for row in rows.known
        if row["fault"] == fault and int(row["seed"]) == options.seed
    }
    for number in range(options.count):
        if number in done:
            continue
        try:
            outcome = attempt(number)
        except (AssertionError, RuntimeError) as error:
            outcome = Attempt("unknown", survived=False, said=" ".join(str(error).split())[:300])
        safe = "" if outcome.safe_s is None else f"{outcome.safe_s:.3f}"
        row: dict[str, Any] = {
            "fault": fault, "case": outcome.case, "seed": options.seed, "attempt": number,
            "survived": int(outcome.survived), "lost": "" if outcome.lost is None else outcome.lost,
            "safe_s": safe, "said": outcome.said,
        }  # fmt: skip
        rows.append(**row)
        if not (outcome.survived and getattr(options, "quiet", False)):
            print(*(f"{key}={value}" for key, value in row.items() if value != ""), flush=True)
    return summarise(options.out)


def summarise(path: Path) -> int:
    """Print tries, survivors, losses and time to safe of each fault and case; 1 where a try failed."""
    rows = Rows(path, COLUMNS).known
    for key in sorted({(row["fault"], row["case"]) for row in rows}):
        chosen = [row for row in rows if (row["fault"], row["case"]) == key]
        survived = sum(int(row["survived"]) for row in chosen)
        lost = [int(row["lost"]) for row in chosen if row["lost"]]
        times = [float(row["safe_s"]) for row in chosen if row["safe_s"]]
        safe = "-"
        if times:
            p50, p99 = np.percentile(times, (50, 99))
            safe = f"p50 {p50:.3f} s, p99 {p99:.3f} s, max {max(times):.3f} s of {len(times)}"
        print(
            f"{key[0]}: {key[1]}: {len(chosen)} tries, {survived} survived; safe after {safe}"
            + (f"; updates lost: median {np.median(lost):g}, at most {max(lost)}" if lost else "")
        )
    return int(not all(int(row["survived"]) for row in rows))


@dataclass(frozen=True)
class ProcessFigures:
    """What a process uses: resident memory in MiB, threads, open file descriptors."""

    rss: float
    threads: int
    descriptors: int


def process_figures(pid: int) -> ProcessFigures:
    """Read from /proc."""
    folder = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
    return ProcessFigures(
        int(status["VmRSS"].split()[0]) / 1024.0,
        int(status["Threads"]),
        len(list((folder / "fd").iterdir())),
    )


def listen(graph: Graph, seconds: float) -> None:
    """Take messages for some wall time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        graph.spin_once(0.02)


def run_folder(name: str) -> Path:
    """An empty-enough folder for the logs and files of a command."""
    folder = ROOT / "runs" / "faults" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
