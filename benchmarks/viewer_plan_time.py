"""What the page costs the planner: plan times with it closed and open, in turns.

    python -m benchmarks.viewer_plan_time --out benchmarks/results/viewer_plan_time.csv

A round has a phase of each kind, from the same states of the robot on:

- closed: the viewer runs without a browser;
- frozen: a browser has the page open and is stopped, so that the viewer subscribes and draws for it, and it
  draws nothing;
- frozen, all niced: the same with all threads of the viewer at the low priority of the one that draws;
- both frozen: the viewer is stopped, too: the planner publishes to its subscriptions, and that is all;
- open: the browser draws, in software, at the lowest priority, on the same cores;
- a busy process: no browser; a loop takes what the others leave of a core, at the lowest priority.

A row holds a phase's median plan time, its ratio to the mean of the closed phases before and after the
round, and what commands and viewer did meanwhile.
"""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import rclpy
from playwright.sync_api import sync_playwright
from std_srvs.srv import Trigger

from benchmarks.page import FLAGS, Probe, cpu_seconds, opened, quantile, start, start_robot
from polo_ros.nodes.viewer_node import NICENESS

PORT = 8918
SETTLE_S = 3.0
RESET_S = 0.5
FIELDS = (
    "round",
    "phase",
    "plan_time_ms",
    "ratio",
    "plans_per_s",
    "command_period_p99_ms",
    "viewer_core_percent",
)


def patient_chromium(folder: Path) -> str:
    """A program that starts Chromium at the lowest priority, in a process group of its own."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\necho $$ >{folder}/pid\nexec nice -n 19 chromium "$@"\n')
    program.chmod(0o755)
    return str(program)


def descendants(process: int) -> list[int]:
    """A process and all that come from it."""
    found = [process]
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


@contextmanager
def stopped(processes: list[int]) -> Iterator[None]:
    """Processes that do nothing meanwhile."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@contextmanager
def niced(process: int, niceness: int) -> Iterator[None]:
    """A process whose threads all have one niceness."""
    threads = [int(thread) for thread in os.listdir(f"/proc/{process}/task")]
    before = [os.getpriority(os.PRIO_PROCESS, thread) for thread in threads]
    for thread in threads:
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
    try:
        yield
    finally:  # going back needs the right to
        for thread, each in zip(threads, before, strict=True):
            os.setpriority(os.PRIO_PROCESS, thread, each)


@contextmanager
def busy_process() -> Iterator[None]:
    """A process that computes for nobody."""
    process = subprocess.Popen(["nice", "-n", "19", sys.executable, "-c", "while True: pass"])
    yield
    process.kill()
    process.wait()


class Rounds:
    """Measures phases.

    Args:
      probe: listens.
      viewer: its process.
      seconds: of a phase.
    """

    def __init__(self, probe: Probe, viewer: int, seconds: float) -> None:
        self._probe, self._viewer, self._seconds = probe, viewer, seconds
        self._reset = probe.node.create_client(Trigger, "simulator_node/reset_world")
        self.rows: list[dict[str, float | str]] = []

    def phase(self, round_: int, name: str) -> None:
        """Measure one, from a reset of the world on."""
        probe = self._probe
        probe.wait(self._reset.service_is_ready, "simulator")
        answer = self._reset.call_async(Trigger.Request())
        probe.wait(answer.done, "reset")
        probe.spin(RESET_S)
        probe.commands.clear()
        probe.plan_times.clear()
        before, began = cpu_seconds(self._viewer), time.monotonic()
        probe.spin(self._seconds)
        took = time.monotonic() - began
        periods = [1e3 * (later - earlier) for (earlier, _), (later, _) in pairwise(probe.commands)]
        row: dict[str, float | str] = {
            "round": round_, "phase": name, "plan_time_ms": 1e3 * statistics.median(probe.plan_times),
            "plans_per_s": len(probe.plan_times) / took, "command_period_p99_ms": quantile(periods, 0.99),
            "viewer_core_percent": 100 * (cpu_seconds(self._viewer) - before) / took,
        }  # fmt: skip
        self.rows.append(row)
        print(round_, name, f"{row['plan_time_ms']:.2f} ms", flush=True)

    def finish(self) -> None:
        """Add the ratios."""
        for round_ in {row["round"] for row in self.rows}:
            rows = [row for row in self.rows if row["round"] == round_]
            closed = statistics.fmean(float(r["plan_time_ms"]) for r in rows if str(r["phase"]) == "closed")
            for row in rows:
                row["ratio"] = float(row["plan_time_ms"]) / closed


def main() -> None:
    """Measure, print, write a row a phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--seconds", type=float, default=2.5, help="wall time a phase")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    probe = Probe(options.task)
    nodes = start_robot(options.task)
    viewer = start("viewer_node", options.task, f"port:={PORT}", "use_sim_time:=true")
    nodes.append(viewer)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=patient_chromium(folder), args=FLAGS)
        try:
            probe.wait(lambda: probe.plan_times, "plan")
            probe.spin(SETTLE_S)
            rounds = Rounds(probe, viewer.pid, options.seconds)
            for index in range(options.rounds):
                rounds.phase(index, "closed")
                with busy_process():
                    rounds.phase(index, "a busy process")
                with opened(browser, f"http://127.0.0.1:{PORT}/", hidden=bool(index % 2)):
                    chromium = descendants(int((folder / "pid").read_text()))
                    rounds.phase(index, "open, hidden" if index % 2 else "open")
                    with stopped(chromium):
                        rounds.phase(index, "frozen")
                        with niced(viewer.pid, NICENESS):
                            rounds.phase(index, "frozen, all niced")
                        with stopped([viewer.pid]):
                            rounds.phase(index, "both frozen")
                probe.spin(1.0)
                rounds.phase(index, "closed")
        finally:
            browser.close()
            for process in nodes:
                process.send_signal(signal.SIGINT)
            for process in nodes:
                process.wait(20)
    rclpy.try_shutdown()
    rounds.finish()
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for row in rounds.rows:
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    for phase in dict.fromkeys(row["phase"] for row in rounds.rows):
        ratios = [float(row["ratio"]) for row in rounds.rows if row["phase"] == phase]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
        print(f"{phase}: {middle:.3f} ({low:.3f} to {high:.3f}) of the time with the page closed")


if __name__ == "__main__":
    main()
