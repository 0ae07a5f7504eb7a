"""A real-time robot, its page and a headless Chromium: what the benchmarks of the page share."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import rclpy
from playwright.sync_api import Browser, Page
from rcl_interfaces.msg import ParameterEvent
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter_client import AsyncParameterClient
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool, Float64, Float64MultiArray

from benchmarks.shipped import params_file
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.nodes.lightweight_node import LightweightNode
from polo_ros.nodes.qos import EVERY_STATE, RELIABLE
from polo_ros.parameters.settings import settings_for

# WebGL without a GPU; a container has no sandbox
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
TIMEOUT_S = 60.0
SIZE: Any = {"width": 1400, "height": 850}


class Probe:
    """Listens to commands, presses of the e-stop, changes of parameters and plan times.

    Times are those at which messages reach this process, in s of wall time, and not those at which Python
    looks at them: a call that drives the browser takes tenths of a second.

    Attributes:
      commands: when each came, and whether it moves the robot.
      stops: when the e-stop was published, and when that came here.
      changes: the names of changed parameters, and when their node had changed them.
      plan_times: in s.
    """

    def __init__(self, task: str) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = LightweightNode("probe")
        self.commands: list[tuple[float, bool]] = []
        self.stops: list[tuple[float, float]] = []
        self.changes: list[tuple[str, float]] = []
        self.plan_times: list[float] = []
        topic = JointMapping(settings_for(task).task.model).command_topic
        listen = self.node.create_subscription
        listen(Float64MultiArray, topic, self._on_command, EVERY_STATE)
        listen(ParameterEvent, "/parameter_events", self._on_change, EVERY_STATE)
        listen(Bool, "hardware/e_stop", self._on_e_stop, RELIABLE)
        listen(Float64, "planner_node/plan_time", lambda m: self.plan_times.append(m.data), EVERY_STATE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def _on_command(self, message: Float64MultiArray, info: dict[str, int]) -> None:
        self.commands.append((info["received_timestamp"] / NANOSECONDS, any(message.data)))

    def _on_change(self, message: ParameterEvent, info: dict[str, int]) -> None:
        when = info["source_timestamp"] / NANOSECONDS
        self.changes += [(parameter.name, when) for parameter in message.changed_parameters]

    def _on_e_stop(self, message: Bool, info: dict[str, int]) -> None:
        if message.data:
            sent, came = info["source_timestamp"], info["received_timestamp"]
            self.stops.append((sent / NANOSECONDS, came / NANOSECONDS))

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


def start_robot(task: str, enabled: bool = True) -> list[subprocess.Popen[bytes]]:
    """Start a simulator and a planner, in this order, in real time; one that is not enabled does not plan."""
    planner = ("lockstep:=false", "use_sim_time:=true", f"autostart:={str(enabled).lower()}")
    return [start("simulator_node", task, "lockstep:=false"), start("planner_node", task, *planner)]


def served(url: str) -> bool:
    """Whether an address is served."""
    try:
        urlopen(url).close()
    except OSError:
        return False
    return True


def go(page: Page, url: str) -> None:
    """Open an address as soon as it is served; a browser that asks again and again takes a core meanwhile."""
    while not served(url):
        time.sleep(0.02)
    page.goto(url, wait_until="commit")


@contextmanager
def opened(browser: Browser, url: str, hidden: bool) -> Iterator[Page]:
    """A page that is drawn; a hidden one has a picture of a few pixels, drawn twice a second.

    Drawing in software takes all the cores that it gets, however small the picture is.
    """
    page = browser.new_page(viewport=SIZE, device_scale_factor=0.02 if hidden else 1.0)
    page.set_default_timeout(1e3 * TIMEOUT_S)
    if hidden:
        page.add_init_script("requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), 500)")
    go(page, url)
    page.get_by_text("planner:").first.wait_for()
    yield page
    page.close()


def quantile(values: list[float], share: float) -> float:
    """A quantile of at least two values."""
    return statistics.quantiles(values, n=100)[round(100 * share) - 1]
