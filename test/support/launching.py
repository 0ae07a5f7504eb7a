"""Runs of `ros2 launch`, and a node that looks at their graph."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import rclpy
from domains import claim_domain
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from workspace import SOURCE

from polo_ros.nodes.leave import leave_graph

SHARED = SOURCE / "launch" / "polo.launch.py"
# a ROS domain of this process, so that runs side by side do not meet
DOMAIN, CLAIM = claim_domain()  # claimed as long as the file is open

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None,
    reason="launch_ros comes only with an installation of ROS 2; source one",
)
needs_ros2 = pytest.mark.skipif(
    importlib.util.find_spec("ros2launch") is None or shutil.which("ros2") is None,
    reason="the command `ros2 launch` comes only with an installation of ROS 2; source one",
)


class Listener:
    """A node of the test's own that looks at the graph."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, domain_id=DOMAIN)
        self.node: Node = rclpy.create_node("listener", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def wait(self, condition: Any, launch: subprocess.Popen[str]) -> None:
        """Spin until a condition holds; fail with what was printed where the launch ends first."""
        deadline = time.monotonic() + 60.0
        while not condition():
            self._executor.spin_once(timeout_sec=0.1)
            if launch.poll() is not None or time.monotonic() > deadline:
                launch.kill()
                pytest.fail(f"what was awaited never came:\n{launch.communicate()[0]}")

    def parameters(self, node: str, names: list[str], launch: subprocess.Popen[str]) -> list[Any]:
        """Parameters of another node."""
        client = self.node.create_client(GetParameters, f"{node}/get_parameters")
        self.wait(client.service_is_ready, launch)
        answer = client.call_async(GetParameters.Request(names=names))
        self.wait(answer.done, launch)
        return [parameter_value_to_python(value) for value in answer.result().values]

    def close(self) -> None:
        leave_graph(self.node, self._context, code=1)


@contextmanager
def launched(
    environment: dict[str, str], folder: Path, *arguments: str, task: str = "cartpole_swingup"
) -> Iterator[subprocess.Popen[str]]:
    """`ros2 launch` in a session of its own, all of which is gone in the end."""
    process = subprocess.Popen(
        ["ros2", "launch", "polo_ros", f"{task}.launch.py", *arguments],
        env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        try:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # nodes that outlive a launch that failed


def interrupt(process: subprocess.Popen[str]) -> str:
    """Ctrl-C; what was printed."""
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    return output


def end_cleanly(launch: subprocess.Popen[str]) -> str:
    """Ctrl-C, after which the launch ends without an error; what was printed."""
    output = interrupt(launch)
    assert launch.returncode == 0, output
    return output


def wait_for_child(launch: subprocess.Popen[str], node: str) -> int:
    """The process of a node that a launch has started, once it runs."""
    deadline = time.monotonic() + 60.0
    while launch.poll() is None and time.monotonic() < deadline:
        for children in Path(f"/proc/{launch.pid}/task").glob("*/children"):
            for child in children.read_text().split():
                if f"/{node}\0" in Path(f"/proc/{child}/cmdline").read_text():
                    return int(child)
        time.sleep(0.05)
    launch.kill()
    pytest.fail(f"{node} was never started:\n{launch.communicate()[0]}")
