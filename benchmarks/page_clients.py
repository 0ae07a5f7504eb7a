"""Clients of the page whose cost to the planner is measured: one that draws nothing, and a patient browser.

    python -m benchmarks.page_clients PORT

is the first one: from each line on standard input to the next, it takes what a browser would get.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import viser
from visualization_msgs.msg import MarkerArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.page import Probe
from polo_ros.nodes.qos import RELIABLE

CAMERA = {
    "type": "ViewerCameraMessage", "wxyz": [1.0, 0.0, 0.0, 0.0], "position": [3.0, 0.0, 1.0], "fov": 1.0,
    "near": 0.01, "far": 100.0, "image_height": 800, "image_width": 1400, "look_at": [0.0, 0.0, 0.0],
    "up_direction": [0.0, 0.0, 1.0],
}  # fmt: skip


def receive(port: int) -> None:
    """Take what the page's server sends to a browser, from each line on standard input to the next one."""
    protocol = Subprotocol(f"viser-v{viser.__version__}")
    while sys.stdin.readline():
        with connect(f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None) as connection:
            connection.send(msgspec.msgpack.encode(CAMERA))  # viser counts a client from this message on
            ending = threading.Thread(target=close_at_line, args=(connection,))
            ending.start()
            with suppress(ConnectionClosed):
                while True:
                    connection.recv()
            ending.join()


def close_at_line(connection: ClientConnection) -> None:
    """Wait for a line on standard input, and close."""
    sys.stdin.readline()
    connection.close()


class Receiver:
    """A client of the page that draws nothing; the viewer subscribes to the planner while it is connected.

    Args:
      probe: listens.
      port: of the page.
    """

    def __init__(self, probe: Probe, port: int) -> None:
        self._probe = probe
        command = ["nice", "-n", "19", sys.executable, "-m", "benchmarks.page_clients", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Be connected meanwhile, and subscribed to the robot's markers as RViz would be."""
        summary, probe = "planner_node/summary", self._probe
        self._toggle()
        probe.wait(lambda: probe.node.count_subscribers(summary), "subscription of the viewer")
        markers = probe.node.create_subscription(
            MarkerArray, "viewer_node/robot", lambda _: None, RELIABLE, raw=True
        )
        yield
        probe.node.destroy_subscription(markers)
        self._toggle()
        probe.wait(lambda: not probe.node.count_subscribers(summary), "end of the viewer's subscription")

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _toggle(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()


def patient_chromium(folder: Path) -> str:
    """A program that starts Chromium at the lowest priority, in a process group of its own."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\necho $$ >{folder}/pid\nexec nice -n 19 chromium "$@"\n')
    program.chmod(0o755)
    return str(program)


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


if __name__ == "__main__":
    receive(int(sys.argv[1]))
