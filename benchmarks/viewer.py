"""What the page costs and how fast it answers, with a headless Chromium on the same machine.

    python -m benchmarks.viewer --out benchmarks/results/viewer.csv

Simulator and planner run in real time. The browser draws in software on the same cores, which a GPU does on
a user's machine: for plan times it runs at the lowest priority, and "hidden" it draws a picture of a few
pixels. Plan times are compared in turns, with the page closed, hidden and open.
"""

import argparse
import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import rclpy
from playwright.sync_api import Browser, Page, sync_playwright
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter_client import AsyncParameterClient
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Float64, Float64MultiArray

from benchmarks.shipped import params_file
from polo_ros.control.joints import JointMapping
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.qos import EVERY_STATE
from polo_ros.parameters.settings import settings_for

FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
PORT = 8917
SETTLE_S = 3.0
STOPS = 5
TIMEOUT_S = 60.0


class Probe:
    """Listens to commands and plan times."""

    def __init__(self, task: str) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = LightweightNode("probe")
        self.commands: list[tuple[float, bool]] = []
        self.plan_times: list[float] = []
        topic = JointMapping(settings_for(task).task.model).command_topic
        self.node.create_subscription(Float64MultiArray, topic, self._on_command, EVERY_STATE)
        self.node.create_subscription(
            Float64, "planner_node/plan_time", lambda m: self.plan_times.append(m.data), EVERY_STATE
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def _on_command(self, message: Float64MultiArray) -> None:
        self.commands.append((time.time(), any(message.data)))

    def spin(self, seconds: float) -> None:
        """Listen for some wall time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Listen until a condition holds."""
        until = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > until:
                raise SystemExit(f"no {what} within {TIMEOUT_S} s")
            self._executor.spin_once(timeout_sec=0.005)

    def parameter(self, name: str) -> int:
        """A whole number among the planner's parameters."""
        client = AsyncParameterClient(self.node, "planner_node")
        self.wait(client.services_are_ready, "parameters")
        future: Any = client.get_parameters([name])
        self.wait(future.done, "parameters")
        return int(future.result().values[0].integer_value)


def start(node: str, task: str, *parameters: str) -> subprocess.Popen[bytes]:
    """Start a node with single parameters."""
    arguments = [word for each in parameters for word in ("-p", each)]
    command = [sys.executable, "-m", f"polo_ros.nodes.{node}", "--ros-args", "--params-file"]
    return subprocess.Popen(
        [*command, str(params_file(task)), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def cpu_seconds(process: int) -> float:
    """The CPU time of a process, in s."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def opened(browser: Browser, url: str, hidden: bool) -> Iterator[Page]:
    """A page that is drawn; a hidden one has a picture of a few pixels."""
    size: Any = {"width": 1400, "height": 850}
    page = browser.new_page(viewport=size, device_scale_factor=0.02 if hidden else 1.0)
    page.set_default_timeout(1e3 * TIMEOUT_S)
    page.goto(url)
    page.get_by_text("planner:").first.wait_for()
    yield page
    page.close()


def patient_chromium(folder: Path) -> str:
    """A program that starts Chromium at the lowest priority."""
    program = folder / "chromium"
    program.write_text('#!/bin/sh\nexec nice -n 19 chromium "$@"\n')
    program.chmod(0o755)
    return str(program)


def share(process: int, probe: Probe, seconds: float) -> float:
    """The share of a core that a process takes, in %."""
    before, began = cpu_seconds(process), time.monotonic()
    probe.spin(seconds)
    return 100 * (cpu_seconds(process) - before) / (time.monotonic() - began)


def phase(probe: Probe, seconds: float) -> tuple[list[float], list[float]]:
    """Plan times and periods between commands over some wall time, in ms."""
    probe.spin(1.0)
    probe.commands.clear()
    probe.plan_times.clear()
    probe.spin(seconds)
    times = [when for when, _ in probe.commands]
    periods = [1e3 * (later - earlier) for earlier, later in pairwise(times)]
    return [1e3 * each for each in probe.plan_times], periods


def quantile(values: list[float], share: float) -> float:
    """A quantile of at least two values."""
    return statistics.quantiles(values, n=100)[round(100 * share) - 1]


def answers(page: Page, probe: Probe) -> Iterator[tuple[str, float]]:
    """How long a slider and the e-stop take, in s."""
    page.get_by_role("tab", name="Planner").click()
    slider = page.get_by_text("horizon", exact=True).locator("xpath=../../..")
    box = slider.locator("input[inputmode=decimal]")
    wanted = probe.parameter("horizon") - 1
    box.fill(str(wanted))
    began = time.monotonic()
    box.press("Enter")
    probe.wait(lambda: probe.parameter("horizon") == wanted, "change of the horizon")
    yield "slider to parameter, s", time.monotonic() - began
    now = "performance.timeOrigin + performance.now()"
    page.evaluate(f"window.addEventListener('pointerdown', () => {{ window.at = {now} }}, true)")
    page.get_by_role("tab", name="Run").click()
    for _ in range(STOPS):
        page.get_by_role("button", name="E-STOP", exact=True).click()
        clicked = float(page.evaluate("window.at")) / 1e3
        probe.spin(1.0)
        moving = [when for when, moves in probe.commands if moves]
        yield "e-stop pressed to the last command that moves, s", max(moving[-1] - clicked, 0.0)
        page.get_by_role("button", name="Release e-stop").click()
        page.get_by_role("button", name="Enable", exact=True).click()
        probe.commands.clear()
        probe.wait(lambda: any(moves for _, moves in probe.commands), "command that moves")


def main() -> None:
    """Measure, print, write a row a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--seconds", type=float, default=8.0, help="wall time a phase")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rows: list[tuple[str, float]] = []
    probe = Probe(options.task)
    real_time = ("lockstep:=false", "use_sim_time:=true")
    nodes = [start("simulator_node", options.task, "lockstep:=false")]
    nodes.append(start("planner_node", options.task, *real_time, "autostart:=true"))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        program = patient_chromium(Path(folder))
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        prompt = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            probe.wait(lambda: probe.plan_times, "plan")
            probe.spin(SETTLE_S)
            began = time.monotonic()
            viewer = start("viewer_node", options.task, f"port:={PORT}", "use_sim_time:=true")
            nodes.append(viewer)
            url, page = f"http://127.0.0.1:{PORT}/", prompt.new_page()
            while True:
                try:
                    page.goto(url)
                    break
                except Exception:
                    time.sleep(0.1)
            rows.append(("start of the node to the page served, s", time.monotonic() - began))
            page.wait_for_selector("canvas[data-engine]")
            page.get_by_text("planner:").first.wait_for()
            rows.append(("start of the node to the page drawn, s", time.monotonic() - began))
            page.close()
            probe.spin(SETTLE_S)
            rows.append(("viewer without a browser, % of a core", share(viewer.pid, probe, 10.0)))
            measured: dict[str, tuple[list[float], list[float]]] = {}
            for _ in range(options.rounds):
                measured = add(measured, "closed", phase(probe, options.seconds))
                for name, hidden in (("open, hidden", True), ("open", False)):
                    with opened(browser, url, hidden):
                        measured = add(measured, name, phase(probe, options.seconds))
                        cost = share(viewer.pid, probe, 4.0)
                        rows.append((f"viewer with the page {name}, % of a core", cost))
            for name, (plans, periods) in measured.items():
                rows.append((f"page {name}: plan time, median, ms", statistics.median(plans)))
                rows.append((f"page {name}: period of commands, p99, ms", quantile(periods, 0.99)))
            with opened(prompt, url, hidden=True) as page:
                rows += answers(page, probe)
        finally:
            browser.close()
            prompt.close()
            for process in nodes:
                process.send_signal(signal.SIGINT)
            for process in nodes:
                process.wait(20)
    rclpy.try_shutdown()
    with options.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("figure", "value"))
        for name, value in rows:
            print(f"{name}: {value:.3f}")
            writer.writerow((name, f"{value:.4f}"))


def add(
    measured: dict[str, tuple[list[float], list[float]]], name: str, new: tuple[list[float], list[float]]
) -> dict[str, tuple[list[float], list[float]]]:
    """The measured phases with one more of a name."""
    plans, periods = measured.get(name, ([], []))
    return {**measured, name: (plans + new[0], periods + new[1])}


if __name__ == "__main__":
    main()
