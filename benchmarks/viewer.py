"""What the page costs without a browser, and how fast it answers; `benchmarks.viewer_start` has its start.

    python -m benchmarks.viewer --out benchmarks/results/viewer.csv

Simulator and planner run in real time, and a headless Chromium on the same cores. It draws in software, which
a GPU does on a user's machine; answers are therefore measured with a picture of a few pixels, drawn twice a
second. The e-stop is pressed with the mouse, and a value is typed into a slider's field.
"""

import argparse
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import rclpy
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from benchmarks.cpu import OtherPrograms, cpu_seconds
from benchmarks.page import FLAGS, SIZE, Probe, go, opened, start, start_robot

PORT = 8917
SETTLE_S = 3.0
IDLE_S = 10.0
# for which a browser without a GPU is busy with a page that it has just opened
PREPARE_S = 10.0
NOW = "(performance.timeOrigin + performance.now())"


def empty_page(browser: Browser) -> float:
    """How long the browser takes to draw a page of viser with nothing on it, in s."""
    program = (
        f"import time, viser; viser.ViserServer('127.0.0.1', {PORT + 1}, verbose=False); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as server:
        page = browser.new_page(viewport=SIZE)
        go(page, f"http://127.0.0.1:{PORT + 1}/")
        began = time.monotonic()
        page.reload()
        page.wait_for_selector("canvas[data-engine]")
        took = time.monotonic() - began
        page.close()
        server.terminate()
    return took


def press(page: Page, target: Locator) -> None:
    """Click with the mouse at once; a click of Playwright's would wait for several pictures."""
    target.wait_for()
    box = target.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def slider(page: Page, probe: Probe) -> float:
    """How long after the input in its field a slider has changed the planner's parameter, in s."""
    press(page, page.get_by_role("tab", name="Planner"))
    box = (
        page.get_by_text("horizon", exact=True).locator("xpath=../../..").locator("input[inputmode=decimal]")
    )
    wanted = probe.parameter("horizon") - 1
    probe.changes.clear()
    box.fill(str(wanted))  # which the page takes for typing
    probe.wait(lambda: "horizon" in dict(probe.changes), "change of the horizon")
    press(page, page.get_by_role("tab", name="Run"))
    return dict(probe.changes)["horizon"] - float(page.evaluate("window.typed")) / 1e3


def stop(page: Page, probe: Probe) -> Iterator[tuple[str, float]]:
    """How long after the mouse button goes down the e-stop acts, stage by stage, in s."""
    probe.wait(lambda: any(moves for _, moves in probe.commands), "command that moves")
    probe.stops.clear()
    press(page, page.get_by_role("button", name="E-STOP", exact=True))
    pressed = float(page.evaluate("window.pressed")) / 1e3
    probe.spin(1.0)
    sent, came = probe.stops[0]
    last = max((when for when, moves in probe.commands if moves), default=pressed)
    yield "pressed to sent by the viewer", sent - pressed
    yield "pressed to received", came - pressed
    yield "pressed to the last command that moves", max(last - pressed, 0.0)
    press(page, page.get_by_role("button", name="Release e-stop"))
    probe.spin(0.5)
    press(page, page.get_by_role("button", name="Enable", exact=True))
    probe.commands.clear()


def main() -> None:
    """Measure, print, write a row a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="humanoid_getup")
    parser.add_argument("--sliders", type=int, default=5, help="how often a slider is moved (default: 5)")
    parser.add_argument("--stops", type=int, default=10, help="how often the robot is stopped (default: 10)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rows: list[tuple[str, float]] = []

    def note(name: str, value: float) -> None:
        print(f"{name}: {value:.4f}", flush=True)
        rows.append((name, value))

    probe = Probe(options.task)
    nodes = start_robot(options.task)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            probe.wait(lambda: probe.plan_times, "plan")
            probe.spin(SETTLE_S)
            note("an empty page of viser, asked for to drawn, s", empty_page(browser))
            viewer = start("viewer_node", options.task, f"port:={PORT}", "use_sim_time:=true")
            nodes.append(viewer)
            url = f"http://127.0.0.1:{PORT}/"
            with opened(browser, url, hidden=True):
                pass
            probe.spin(SETTLE_S)
            others = OtherPrograms()
            before, began = cpu_seconds(viewer.pid), time.monotonic()
            probe.spin(IDLE_S)
            share = (cpu_seconds(viewer.pid) - before) / (time.monotonic() - began)
            note("viewer without a browser, % of a core", 100 * share)
            with opened(browser, url, hidden=True) as page:
                page.evaluate(f"addEventListener('input', () => {{ window.typed = {NOW} }}, true)")
                page.evaluate(f"addEventListener('pointerdown', () => {{ window.pressed = {NOW} }}, true)")
                probe.spin(PREPARE_S)
                for _ in range(options.sliders):
                    note("slider to parameter, s", slider(page, probe))
                for _ in range(options.stops):
                    for stage, value in stop(page, probe):
                        note(f"e-stop {stage}, s", value)
            note("other programs meanwhile, % of a core", others.percent())
        finally:
            browser.close()
            for process in nodes:
                process.send_signal(signal.SIGINT)
            for process in nodes:
                process.wait(20)
    rclpy.try_shutdown()
    with options.out.open("w", newline="") as file:
        file.write(f"# python -m benchmarks.viewer {' '.join(sys.argv[1:])}\n")
        writer = csv.writer(file)
        writer.writerow(("figure", "value"))
        for name, value in rows:
            writer.writerow((name, f"{value:.4f}"))


if __name__ == "__main__":
    main()
