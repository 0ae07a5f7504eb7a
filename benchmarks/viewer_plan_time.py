"""What the page costs the planner: plan times with it closed and open, in turns.

    python -m benchmarks.viewer_plan_time --out benchmarks/results/viewer_plan_time.csv

Each phase starts from a reset of the world, and every other round runs backwards. Rounds of the first kind
tell what the viewer costs:

- closed: the viewer runs without a browser;
- receiver: a client takes what a browser would get, and draws nothing;
- receiver, all niced: the same with all threads of the viewer at the low priority of the one that draws.

Rounds of the second kind tell what a browser costs that draws in software on the same cores, as none does on
a user's machine with a GPU. One page stays open:

- browser stopped: it gets the data, and draws nothing;
- browser: it draws a picture of a few pixels, at the lowest priority.

A row holds a phase's median plan time and its ratio to that of the first of these kinds in the round.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import msgspec
import rclpy
import viser
from playwright.sync_api import sync_playwright
from std_srvs.srv import Trigger
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.cpu import cpu_seconds
from benchmarks.page import FLAGS, Probe, opened, quantile, start, start_robot
from polo_ros.nodes.viewer_node import NICENESS

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
    "command_period_p99_ms",
    "viewer_core_percent",
)
CAMERA = {
    "type": "ViewerCameraMessage", "wxyz": [1.0, 0.0, 0.0, 0.0], "position": [3.0, 0.0, 1.0], "fov": 1.0,
    "near": 0.01, "far": 100.0, "image_height": 800, "image_width": 1400, "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 0.0, 1.0],
}  # fmt: skip


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


def receive(port: int) -> None:
    """Take what the page's server sends to a browser, for ever."""
    protocol = Subprotocol(f"viser-v{viser.__version__}")
    with connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None) as connection:
        connection.send(msgspec.msgpack.encode(CAMERA))  # viser counts a client from this message on
        while True:
            connection.recv()


@contextmanager
def receiver(probe: Probe) -> Iterator[None]:
    """A client of the page that draws nothing; the viewer subscribes to the planner meanwhile."""
    process = subprocess.Popen(
        ["nice", "-n", "19", sys.executable, "-m", "benchmarks.viewer_plan_time", "--receive"]
    )
    terms = "planner_node/reward_terms"
    probe.wait(lambda: probe.node.count_subscribers(terms), "subscription of the viewer")
    yield
    process.kill()
    process.wait()
    probe.wait(lambda: not probe.node.count_subscribers(terms), "end of the viewer's subscription")


class Phases:
    """Measures phases, and writes a row each.

    Args:
      probe: listens.
      viewer: its process.
      seconds: of a phase.
      file: takes the rows.

    Attributes:
      ratios: by the phase's name, a number a round.
    """

    def __init__(self, probe: Probe, viewer: int, seconds: float, file: TextIO) -> None:
        self._probe, self._viewer, self._seconds, self._file = probe, viewer, seconds, file
        self._reset = probe.node.create_client(Trigger, "simulator_node/reset_world")
        self._writer = csv.DictWriter(file, FIELDS)
        self._writer.writeheader()
        self._round = 0
        self.ratios: dict[str, list[float]] = {}

    def round(self, kinds: Kinds) -> None:
        """Measure each kind; every other round in the opposite order."""
        order = list(kinds) if self._round % 2 == 0 else list(kinds)[::-1]
        rows = {}
        for name in order:
            with kinds[name]():
                rows[name] = self._measure()
        base = rows[next(iter(kinds))]["plan_time_ms"]
        for name in order:
            ratio = rows[name]["plan_time_ms"] / base
            self.ratios.setdefault(name, []).append(ratio)
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
        before, began = cpu_seconds(self._viewer), time.monotonic()
        probe.spin(self._seconds)
        took = time.monotonic() - began
        periods = [1e3 * (later - earlier) for (earlier, _), (later, _) in pairwise(probe.commands)]
        return {
            "plan_time_ms": 1e3 * statistics.median(probe.plan_times),
            "plans_per_s": len(probe.plan_times) / took,
            "command_period_p99_ms": quantile(periods, 0.99),
            "viewer_core_percent": 100 * (cpu_seconds(self._viewer) - before) / took,
        }


def measure_viewer(phases: Phases, probe: Probe, viewer: int, rounds: int) -> None:
    """What the viewer costs."""

    @contextmanager
    def all_niced() -> Iterator[None]:
        with receiver(probe), niced(viewer, NICENESS):
            yield

    kinds: Kinds = {
        "closed": nullcontext, "receiver": lambda: receiver(probe), "receiver, all niced": all_niced
    }  # fmt: skip
    for _ in range(rounds):
        phases.round(kinds)


def measure_browser(phases: Phases, url: str, rounds: int) -> None:
    """What a browser costs on the same cores."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=patient_chromium(folder), args=FLAGS)
        with opened(browser, url, hidden=True):
            chromium = descendants(int((folder / "pid").read_text()))
            kinds: Kinds = {"browser stopped": lambda: stopped(chromium), "browser": nullcontext}
            for _ in range(rounds):
                phases.round(kinds)
        browser.close()


def main() -> None:
    """Measure, print, write a row a phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--seconds", type=float, default=1.5, help="wall time a phase")
    parser.add_argument(
        "--rounds", type=int, default=14, help="of the first kind; half as many of the second"
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--receive", action="store_true", help="be the client that draws nothing")
    options = parser.parse_args()
    if options.receive:
        receive(PORT)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    probe = Probe(options.task)
    nodes = start_robot(options.task)
    viewer = start("viewer_node", options.task, f"port:={PORT}", "use_sim_time:=true")
    nodes.append(viewer)
    try:
        probe.wait(lambda: probe.plan_times, "plan")
        probe.wait(lambda: probe.node.count_publishers("viewer_node/robot"), "viewer")
        probe.spin(SETTLE_S)
        with options.out.open("w", newline="") as file:
            phases = Phases(probe, viewer.pid, options.seconds, file)
            measure_viewer(phases, probe, viewer.pid, options.rounds)
            measure_browser(phases, f"http://127.0.0.1:{PORT}/", options.rounds // 2)
    finally:
        for process in nodes:
            process.send_signal(signal.SIGINT)
        for process in nodes:
            process.wait(20)
    rclpy.try_shutdown()
    for name, ratios in phases.ratios.items():
        low, middle, high = statistics.quantiles(ratios, n=4)
        error = statistics.stdev(ratios) / len(ratios) ** 0.5
        mean = f"mean {statistics.fmean(ratios):.3f} ± {error:.3f}"
        print(f"{name}: ratio {middle:.3f} ({low:.3f} to {high:.3f}), {mean} (standard error)")


if __name__ == "__main__":
    main()
