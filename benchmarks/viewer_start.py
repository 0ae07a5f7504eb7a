"""How soon after its start the viewer's page is drawn.

    python -m benchmarks.viewer_start --out benchmarks/results/viewer_start.csv

A robot runs in real time, its viewer is started, and a headless Chromium waits for the page. The browser
draws in software on the same cores, which a GPU does on a user's machine. With --disabled the planner leaves
the cores to them. With --cold, which needs root, the
files are read from the disk again each time. A row is a start: the seconds until the page is served, until
the browser has its e-stop and the nodes' lights, and until its first picture that shows the robot; and what
other programs took of the machine meanwhile.
"""

import argparse
import base64
import csv
import io
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from benchmarks.cpu import OtherPrograms
from benchmarks.page import FLAGS, TIMEOUT_S, Probe, go, start, start_robot

TASKS = ("cartpole_swingup", "humanoid_getup", "quadruped_walk")
PORT = 8927
SIZE = (1366, 768)
SETTLE_S = 3.0
# starts in which other programs took more than this are disturbed
MOST_OTHERS_PERCENT = 30.0
# of the middle of the picture: the floor and its grid are light and grey, robots are dark or coloured
MIDDLE, DARK, COLOURED, SHARE = 0.5, 110, 60, 0.004
CACHES = Path("/proc/sys/vm/drop_caches")


def shows_robot(picture: bytes) -> bool:
    """Whether enough of the middle is dark or coloured."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    cut = [slice(int(n * (1 - MIDDLE) / 2), int(n * (1 + MIDDLE) / 2)) for n in pixels.shape[:2]]
    middle = pixels[cut[0], cut[1]]
    drawn = (middle.max(axis=-1) < DARK) | (np.ptp(middle, axis=-1) > COLOURED)
    return bool(drawn.mean() > SHARE)


class Screencast:
    """The pictures of a page as the browser makes them.

    Args:
      page: must be the open one of its browser.

    Attributes:
      drawn: wall time of the first picture that shows the robot; 0 before it.
    """

    def __init__(self, page: Page) -> None:
        self.drawn = 0.0
        while True:
            self._session = page.context.new_cdp_session(page)
            self._session.on("Page.screencastFrame", self._on_picture)
            try:
                self._session.send("Page.startScreencast", {"format": "png"})
                return
            except Error:  # the browser is still handing the page over to another process
                time.sleep(0.01)

    def _on_picture(self, event: dict[str, Any]) -> None:
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        if not self.drawn and shows_robot(base64.b64decode(event["data"])):
            self.drawn = float(event["metadata"]["timestamp"])


def times_of_start(browser: Browser, task: str) -> tuple[float, float, float, float]:
    """Start the viewer once: times in s until the page is served, labelled and drawn; others' share in %."""
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    page.set_default_timeout(1e3 * TIMEOUT_S)
    others, began = OtherPrograms(), time.time()
    viewer = start("viewer_node", task, f"port:={PORT}", "use_sim_time:=true")
    try:
        go(page, f"http://127.0.0.1:{PORT}/")
        served = time.time() - began
        pictures = Screencast(page)
        page.get_by_text("E-STOP").first.wait_for()
        page.get_by_text("planner:").first.wait_for()
        labelled = time.time() - began
        while not pictures.drawn:
            page.wait_for_timeout(20)
        return served, labelled, pictures.drawn - began, others.percent()
    finally:
        page.close()
        stop([viewer])


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """End processes in order."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    for process in processes:
        process.wait(20)


def main() -> None:
    """Measure, print, write a row a start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--starts", type=int, default=10, help="of each task (default: 10)")
    parser.add_argument(
        "--disabled", action="store_true", help="the planner waits for ~/enable, as on a real robot"
    )
    parser.add_argument("--cold", action="store_true", help="empty the file cache before each start")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rows: list[tuple[str, int, float, float, float, float]] = []
    with options.out.open("w", newline="") as file, sync_playwright() as playwright:
        file.write(f"# python -m benchmarks.viewer_start {' '.join(sys.argv[1:])}\n")
        writer = csv.writer(file)
        writer.writerow(("task", "start", "served_s", "labelled_s", "drawn_s", "others_core_percent"))
        for task in options.tasks:
            probe, nodes = Probe(task), start_robot(task, not options.disabled)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            try:
                probe.wait(lambda: probe.node.count_publishers("planner_node/plan"), "planner")  # noqa: B023
                probe.spin(SETTLE_S)
                for index in range(options.starts):
                    if options.cold:
                        os.sync()
                        CACHES.write_text("3")
                    found = times_of_start(browser, task)
                    rows.append((task, index, *found))
                    writer.writerow((task, index, *(f"{each:.3f}" for each in found)))
                    file.flush()
                    print(task, index, " ".join(f"{each:.2f}" for each in found), flush=True)
            finally:
                browser.close()
                stop(nodes)
                rclpy.try_shutdown()
            for what, most in (("all", math.inf), ("undisturbed", MOST_OTHERS_PERCENT)):
                drawn = [row[4] for row in rows if row[0] == task and row[5] <= most]
                spread = f", {min(drawn):.2f} to {max(drawn):.2f}" if drawn else ""
                middle = statistics.median(drawn) if drawn else math.nan
                print(f"{task}, {len(drawn)} starts ({what}): drawn after {middle:.2f} s{spread}")


if __name__ == "__main__":
    main()
