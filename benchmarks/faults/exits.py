"""Ctrl-C at random moments of the demo: how long it takes to end, with which code, and what it prints.

    python -m benchmarks.faults.exits

A try starts the demo, with learner, in a process group of its own and interrupts the whole group, as a
terminal does, at a moment drawn evenly between 0 and `--latest` s. It is clean if every process has ended
within the limit, none had to be killed, and nothing printed a traceback. The demo is started as `make demo`
starts it: with signals blocked, since Python itself prints a traceback where an interrupt comes before it
runs the first line of the program, 0.1 s after the start on an idle machine.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.faults.rows import RESULTS, Rows
from polo_ros.signals import ENDINGS

LIMIT_S = 3.0
# wall time after which processes that are still there are killed
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Exit:
    """One interrupted demo.

    Attributes:
      moment: of the interrupt after the start, in s.
      seconds: from the interrupt until the last process had ended, in s.
      code: of the demo.
      tracebacks: in its output and in the nodes' logs.
      nodes: that had been started.
      killed: whether any process had to be killed.
    """

    moment: float
    seconds: float
    code: int
    tracebacks: int
    nodes: int
    killed: bool

    @property
    def clean(self) -> bool:
        """Whether the demo ended as it must."""
        return not self.killed and not self.tracebacks and self.seconds <= LIMIT_S


COLUMNS = (*(field.name for field in fields(Exit)), "clean")


@contextmanager
def blocked(signals: Iterable[signal.Signals]) -> Generator[None]:
    """Start processes with these signals blocked from their first instruction on.

    `make demo` blocks them by `env`, which takes a moment to do so: a signal before that ends `env` or, where
    a shell without job control has started all this in the background, is lost.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def interrupted_demo(moment: float, arguments: Sequence[str], folder: Path) -> Exit:
    """Start a demo with its logs in a folder, and interrupt it after so many s."""
    command = [sys.executable, "-m", "polo_ros.nodes.demo", *arguments, "--out", str(folder / "out")]
    output = folder / "demo.log"
    with output.open("wb") as log, blocked(ENDINGS):
        demo = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    killed = True
    try:
        time.sleep(moment)
        interrupted = time.monotonic()
        os.killpg(demo.pid, signal.SIGINT)
        killed = not all_ended(demo, interrupted + PATIENCE_S)
        seconds = time.monotonic() - interrupted
    finally:  # also where this program is told to end
        if killed:
            os.killpg(demo.pid, signal.SIGKILL)
    logs = [output, *(folder / "out").glob("*.log")]
    texts = [log.read_text(errors="replace") for log in logs]
    return Exit(
        moment=round(moment, 3),
        seconds=round(seconds, 3),
        code=demo.wait(),
        tracebacks=sum(text.count("Traceback") + text.count("Fatal Python error") for text in texts),
        nodes=len(logs) - 1,
        killed=killed or any("was killed" in text for text in texts),
    )


def all_ended(demo: subprocess.Popen[bytes], until: float) -> bool:
    """Wait for all processes of the demo's group; False where they have not ended by a monotonic time."""
    while time.monotonic() < until:
        demo.poll()
        try:
            os.killpg(demo.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def parser() -> argparse.ArgumentParser:
    """The command line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--task", default="humanoid_getup")
    arguments.add_argument("--tries", type=int, default=50)
    arguments.add_argument("--latest", type=float, default=7.0, help="the last moment, in s")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--logs", type=Path, default=Path("runs/exits"), help="folder for the logs")
    arguments.add_argument("--out", type=Path, default=RESULTS / "exits.csv")
    return arguments


def main() -> int:
    """Run the tries that the file does not hold yet; 1 where one was not clean."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    moments = np.random.default_rng(options.seed).uniform(0.0, options.latest, options.tries)
    rows = Rows(options.out, COLUMNS)
    for index in range(len(rows.known), options.tries):
        folder = options.logs / str(index)
        folder.mkdir(parents=True, exist_ok=True)
        one = interrupted_demo(float(moments[index]), ["--task", options.task], folder)
        print(one, flush=True)
        rows.append(**asdict(one), clean=one.clean)
    known = Rows(options.out, COLUMNS).known
    clean = sum(row["clean"] == "True" for row in known)
    seconds = [float(row["seconds"]) for row in known]
    p50, p99 = np.percentile(seconds, (50, 99))
    print(
        f"{clean} of {len(known)} clean; end after {p50:.2f} s (p50), {p99:.2f} s (p99), "
        f"{max(seconds):.2f} s (max)"
    )
    return 0 if clean == len(known) else 1


if __name__ == "__main__":
    sys.exit(main())
