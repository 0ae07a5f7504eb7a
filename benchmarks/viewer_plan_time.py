"""What the page costs the planner: plan times with it closed and open, in turns.

    python -m benchmarks.viewer_plan_time --out benchmarks/results/viewer_plan_time.csv
    python -m benchmarks.viewer_plan_time --kind browser --out benchmarks/results/viewer_plan_time_browser.csv

Each phase starts from a reset of the world, and every other round runs backwards. Rounds of the first kind
tell what the viewer, its plots and its markers cost:

- closed: the viewer runs without a browser;
- receiver: a client takes what a browser would get, plots included, and draws nothing; another one takes
  the robot's markers.

Rounds of the second kind tell what a browser costs that draws in software on the same cores, as none does on
a user's machine with a GPU. One page stays open:

- browser stopped: it gets the data, and draws nothing;
- browser: it draws a picture of a few pixels, at the lowest priority.

A row holds a phase's median plan time and its ratio to that of the first phase of the round, and the CPU time
of the planner's process a plan. It also holds what other programs took of the machine, which is known to
about a tenth of a core: the summary leaves out rounds in which that was more than 0.3 of one. A file that is
there already gets further rounds, so that several short runs make a long one.
"""

import argparse
import csv
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import rclpy
from playwright.sync_api import sync_playwright
from std_srvs.srv import Trigger

from benchmarks.cpu import OtherPrograms, cpu_seconds, descendants
from benchmarks.page import FLAGS, Probe, opened, quantile, served, start, start_robot
from benchmarks.page_clients import Receiver, patient_chromium, stopped

PORT = 8918
SETTLE_S = 3.0
RESET_S = 0.3
Kinds = Mapping[str, Callable[[], AbstractContextManager[None]]]
FIELDS = (
    "round",
    "phase",
    "plan_time_ms",
    "ratio",
    "plans_per_s",
    "planner_cpu_ms",
    "command_period_p99_ms",
    "viewer_core_percent",
    "others_core_percent",
)
# rounds in which other programs took more than this are left out of the summary
MOST_OTHERS_PERCENT = 30.0
# the phases that the others of their round are compared with
BASES = ("closed", "browser stopped")


class Phases:
    """Measures phases, and adds a row each to a file.

    Args:
      probe: listens.
      viewer, planner: their processes.
      seconds: of a phase.
      path: of the file; rows of earlier runs stay.
    """

    def __init__(self, probe: Probe, viewer: int, planner: int, seconds: float, path: Path) -> None:
        self._probe, self._viewer, self._planner, self._seconds = probe, viewer, planner, seconds
        self._reset: Any = probe.node.create_client(Trigger, "simulator_node/reset_world")
        earlier = read_rows(path)
        self._round = int(earlier[-1]["round"]) + 1 if earlier else 0
        self._file = path.open("a", newline="")
        self._writer = csv.DictWriter(self._file, FIELDS)
        if not earlier:
            self._file.write(f"# python -m benchmarks.viewer_plan_time {' '.join(sys.argv[1:])}\n")
            self._writer.writeheader()

    def round(self, kinds: Kinds) -> None:
        """Measure each kind; every other round in the opposite order. A round is written as a whole."""
        order = list(kinds) if self._round % 2 == 0 else list(kinds)[::-1]
        rows = {}
        for name in order:
            with kinds[name]():
                rows[name] = self._measure()
        base = rows[next(iter(kinds))]["plan_time_ms"]
        for name in order:
            ratio = rows[name]["plan_time_ms"] / base
            numbers = {key: f"{value:.4f}" for key, value in (rows[name] | {"ratio": ratio}).items()}
            self._writer.writerow({"round": self._round, "phase": name} | numbers)
            print(self._round, name, f"{rows[name]['plan_time_ms']:.2f} ms, {ratio:.3f}", flush=True)
        self._file.flush()
        self._round += 1

    def _measure(self) -> dict[str, float]:
        """The numbers of a phase, from a reset of the world on."""
        probe = self._probe
        probe.wait(self._reset.service_is_ready, "simulator")
        answer = self._reset.call_async(Trigger.Request())
        probe.wait(answer.done, "reset")
        probe.spin(RESET_S)
        probe.commands.clear()
        probe.plan_times.clear()
        others = OtherPrograms()
        viewer, planner, began = cpu_seconds(self._viewer), cpu_seconds(self._planner), time.monotonic()
        probe.spin(self._seconds)
        took = time.monotonic() - began
        periods = [1e3 * (later - earlier) for (earlier, _), (later, _) in pairwise(probe.commands)]
        return {
            "plan_time_ms": 1e3 * statistics.median(probe.plan_times),
            "plans_per_s": len(probe.plan_times) / took,
            "planner_cpu_ms": 1e3 * (cpu_seconds(self._planner) - planner) / len(probe.plan_times),
            "command_period_p99_ms": quantile(periods, 0.99),
            "viewer_core_percent": 100 * (cpu_seconds(self._viewer) - viewer) / took,
            "others_core_percent": others.percent(),
        }


def measure_viewer(phases: Phases, probe: Probe, until: float) -> None:
    """What the viewer costs."""
    receiver = Receiver(probe, PORT)
    kinds: Kinds = {"closed": nullcontext, "receiver": receiver.connected}
    try:
        while time.monotonic() < until:
            phases.round(kinds)
    finally:
        receiver.close()


def measure_browser(phases: Phases, url: str, until: float) -> None:
    """What a browser costs on the same cores."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=patient_chromium(folder), args=FLAGS)
        with opened(browser, url, hidden=True):
            chromium = descendants(int((folder / "pid").read_text()))
            kinds: Kinds = {"browser stopped": lambda: stopped(chromium), "browser": nullcontext}
            while time.monotonic() < until:
                phases.round(kinds)
        browser.close()


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def summarise(rows: list[dict[str, str]]) -> Iterator[str]:
    """A line a phase: medians of its numbers, and its ratios with their spread, over undisturbed rounds."""
    disturbed = {row["round"] for row in rows if float(row["others_core_percent"]) > MOST_OTHERS_PERCENT}
    yield f"{len(disturbed)} of {len({row['round'] for row in rows})} rounds were disturbed by other programs"
    rows = [row for row in rows if row["round"] not in disturbed]
    for name in dict.fromkeys(row["phase"] for row in rows):
        found = [row for row in rows if row["phase"] == name]
        numbers = ", ".join(
            f"{field} {statistics.median(float(row[field]) for row in found):.2f}" for field in FIELDS[2:]
        )
        yield f"{name}, {len(found)} rounds: {numbers}"
        first = {row["round"]: row for row in rows if row["phase"] in BASES}
        for field in ("plan_time_ms", "planner_cpu_ms"):
            ratios = [float(row[field]) / float(first[row["round"]][field]) for row in found]
            low, _, high = statistics.quantiles(ratios, n=4)
            error = statistics.stdev(ratios) / len(ratios) ** 0.5
            yield (
                f"  {field}: ratio's quartiles {low:.3f} and {high:.3f}, mean {statistics.fmean(ratios):.3f} "
                f"± {error:.3f} (standard error)"
            )


def main() -> None:
    """Measure, print, write a row a phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--seconds", type=float, default=1.5, help="wall time a phase")
    parser.add_argument("--kind", choices=("viewer", "browser"), default="viewer", help="of the rounds")
    parser.add_argument("--minutes", type=float, default=10.0, help="after which no round begins")
    parser.add_argument("--out", type=Path, required=True, help="file that rows are added to")
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    until = time.monotonic() + 60.0 * options.minutes
    probe = Probe(options.task)
    nodes = start_robot(options.task)
    viewer = start("viewer_node", options.task, f"port:={PORT}", "use_sim_time:=true")
    nodes.append(viewer)
    url = f"http://127.0.0.1:{PORT}/"
    try:
        probe.wait(lambda: probe.plan_times, "plan")
        probe.wait(lambda: served(url), "page")
        probe.spin(SETTLE_S)
        phases = Phases(probe, viewer.pid, nodes[1].pid, options.seconds, options.out)
        if options.kind == "viewer":
            measure_viewer(phases, probe, until)
        else:
            measure_browser(phases, url, until)
    finally:
        for process in nodes:
            process.send_signal(signal.SIGINT)
        for process in nodes:
            process.wait(20)
    rclpy.try_shutdown()
    for line in summarise(read_rows(options.out)):
        print(line)


if __name__ == "__main__":
    main()
