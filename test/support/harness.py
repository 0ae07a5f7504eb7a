"""Real nodes as processes in a ROS domain of their own, and a probe node that watches them."""

import atexit
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from domains import claim_domain
from node_server import Node, NodeServer
from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from polo_ros.files import share_path
from polo_ros.nodes.leave import leave_graph
from polo_ros.nodes.messages import from_stamp

DEADLINE = 60.0  # s of wall time that anything may take; only a failing test takes as long
# how long the probe waits for the others to be gone, in s: those that were killed stay for 20 s
SETTLE_S = 0.3
# how often a message is published that nobody may have heard, in s
PUBLISH_PERIOD_S = 0.2
CARTPOLE = share_path("config", "cartpole_swingup.yaml")
# nothing that is published between two looks is lost
EVERYTHING = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
# a probe that is slower than lockstep sees the present, not a backlog
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


@functools.cache
def node_server() -> NodeServer:
    """The server of this test process, started with the first node."""
    server = NodeServer()
    atexit.register(server.close)
    return server


class Graph:
    """Nodes of this package as processes, and a probe in the same domain.

    Args:
      folder: for logs and parameter files.

    Attributes:
      alive: all graphs that have not been closed, so that a failing test can show their logs.
      domain: the ROS domain.
      node: the probe, an rclpy node.
      children: the running and ended processes by name.
      statuses: the newest entry on /diagnostics of each node, by name.
    """

    alive: list["Graph"] = []  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.domain, self._claim = claim_domain()
        self.environment = os.environ | {"ROS_DOMAIN_ID": str(self.domain)}
        self.children: dict[str, Node | subprocess.Popen[bytes]] = {}
        self.statuses: dict[str, DiagnosticStatus] = {}
        self._context = rclpy.Context()
        rclpy.init(
            args=[], context=self._context, domain_id=self.domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )  # fmt: skip
        self.node = rclpy.create_node(f"probe_{self.domain}", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, EVERYTHING)
        Graph.alive.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
        for name in self.children:
            self.end(name)
        # destroying the probe while it discovers the end of the others may never end
        until = time.monotonic() + SETTLE_S
        while len(self.node.get_node_names()) > 1 and time.monotonic() < until:
            self.spin_once(0.02)
        leave_graph(self.node, self._context, code=1)
        self._claim.close()
        Graph.alive.remove(self)

    # ---- processes

    def start(
        self, node: str, name: str = "", config: Path = CARTPOLE, namespace: str = "", **parameters: Any
    ) -> None:
        """Start a node with a parameter file and single parameters on top; `__` in a name is a dot.

        `name` is what the test calls the process, the node's own where it is not given.
        """
        own = {key.replace("__", "."): value for key, value in parameters.items()}
        # a pattern as specific as the one in the file: plain -p name:=value would yield to that
        content = {f"/**/{node}": {"ros__parameters": own}}
        name = name or node
        overrides = self.folder / f"{name}.yaml"
        overrides.write_text(yaml.safe_dump(content))
        arguments = ["--ros-args", "--params-file", str(config)]
        arguments += ["--params-file", str(overrides)] if own else []
        # as launch and demo do: the clock follows the namespace
        arguments += ["-r", f"__ns:={namespace}", "-r", "/clock:=clock"] if namespace else []
        module = f"polo_ros.nodes.{node}"
        self.log_path(name).touch()  # a test may read it before the node has opened it
        self.children[name] = node_server().start(module, arguments, self.environment, self.log_path(name))

    def run(self, name: str, command: list[str]) -> None:
        """Start any command in the graph's domain, with its output in the log of that name."""
        with self.log_path(name).open("ab") as log:
            self.children[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # tests that run in the background ignore SIGINT, and so would every child
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def kill(self, name: str) -> None:
        """End a process as a crash would."""
        self.children[name].kill()
        self.children[name].wait()
        self.statuses.pop(name, None)

    def end(self, name: str) -> int:
        """Interrupt a process unless it has ended, and return its exit code."""
        child = self.children[name]
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        return self.exit_code(name)

    def exit_code(self, name: str) -> int:
        """Listen until a process ends by itself."""
        child = self.children[name]
        until = time.monotonic() + DEADLINE
        while child.poll() is None:
            if time.monotonic() > until:
                child.kill()
                child.wait()
                raise AssertionError(f"{name} did not end within {DEADLINE} s")
            self.spin_once(0.05)
        return child.wait()

    def log_path(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """What a process has written."""
        return self.log_path(name).read_text(errors="replace")

    # ---- the probe

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Listen until a condition holds; fail where it does not or where a node ends meanwhile."""
        wait(condition, what, self)

    def publish_until(
        self, publisher: Any, message: object, condition: Callable[[], object], what: str
    ) -> None:
        """Publish a message several times a second until a condition holds.

        A publisher counts readers that may not have discovered it yet: these lose what it publishes before.
        """
        published = -float("inf")

        def published_again() -> object:
            nonlocal published
            if time.monotonic() - published > PUBLISH_PERIOD_S:
                published = time.monotonic()
                publisher.publish(message)
            return condition()

        self.wait(published_again, what)

    def spin_once(self, timeout: float) -> None:
        """Handle one event."""
        self._executor.spin_once(timeout_sec=timeout)

    def record(self, kind: type[Any], topic: str, qos: QoSProfile = EVERYTHING) -> list[Any]:
        """A list that grows with the messages of a topic."""
        messages: list[Any] = []
        self.node.create_subscription(kind, topic, messages.append, qos)
        return messages

    def call(self, kind: type[Any], service: str, **fields: object) -> Any:
        """Call a service and return its answer."""
        client: Any = self.node.create_client(kind, service)
        self.wait(client.service_is_ready, f"service {service}")
        future = client.call_async(kind.Request(**fields))
        self.wait(future.done, f"an answer from {service}")
        self.node.destroy_client(client)
        return future.result()

    def enable(self, on: bool) -> SetBool.Response:
        """Call the planner's ~/enable."""
        return self.call(SetBool, "planner_node/enable", data=on)

    def set(self, node: str, **parameters: Any) -> list[SetParametersResult]:
        """Set a node's parameters, `__` for a dot, and return one result each."""
        client = AsyncParameterClient(self.node, node)
        self.wait(client.services_are_ready, f"the parameters of {node}")
        wanted = [Parameter(key.replace("__", "."), value=value) for key, value in parameters.items()]
        future = client.set_parameters(wanted)
        self.wait(future.done, f"the parameters of {node} to be set")
        response = future.result()
        assert response is not None
        return list(response.results)

    def describe(self, node: str) -> dict[str, ParameterDescriptor]:
        """The descriptors of all of a node's parameters by name."""
        client = AsyncParameterClient(self.node, node)
        self.wait(client.services_are_ready, f"the parameters of {node}")
        listing = client.list_parameters()
        self.wait(listing.done, f"the parameters of {node} to be listed")
        names = list(listing.result().result.names)  # type: ignore[union-attr]
        describing = client.describe_parameters(names)
        self.wait(describing.done, f"the parameters of {node} to be described")
        return dict(zip(names, describing.result().descriptors, strict=True))  # type: ignore[union-attr]

    def parameters(self, node: str, names: list[str]) -> list[Any]:
        """The values of a node's parameters."""
        client = AsyncParameterClient(self.node, node)
        self.wait(client.services_are_ready, f"the parameters of {node}")
        future = client.get_parameters(names)
        self.wait(future.done, f"the values of the parameters of {node}")
        return [parameter_value_to_python(value) for value in future.result().values]  # type: ignore[union-attr]

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.statuses[status.name] = status

    def says(self, node: str, text: str) -> bool:
        """Whether the node's newest status contains a text."""
        return node in self.statuses and text in self.statuses[node].message

    def wait_says(self, node: str, text: str) -> None:
        """Listen until a node's status, published from now on, contains a text."""
        self.statuses.pop(node, None)
        self.wait(lambda: self.says(node, text), f"{node} to say '{text}'")

    def publish_until_says(self, publisher: Any, message: object, node: str, text: str) -> None:
        """Publish a message until a node's status, published from now on, contains a text."""
        self.statuses.pop(node, None)
        self.publish_until(publisher, message, lambda: self.says(node, text), f"{node} to say '{text}'")

    def reported(self, node: str, key: str) -> int:
        """A whole number among the values of the node's newest status; -1 where it is absent."""
        values = (
            {pair.key: pair.value for pair in self.statuses[node].values} if node in self.statuses else {}
        )
        return int(values.get(key, -1))


def wait(condition: Callable[[], object], what: str, *graphs: Graph) -> None:
    """Listen in some graphs until a condition holds.

    Raises:
      AssertionError: it does not within the deadline, or a node ended meanwhile.
    """
    running = [
        (graph, name) for graph in graphs for name, child in graph.children.items() if child.poll() is None
    ]
    until = time.monotonic() + DEADLINE
    while not condition():
        for graph, name in running:
            code = graph.children[name].poll()
            assert code is None, f"{name} ended with {code} while waiting for {what}:\n{graph.log(name)}"
        said = {name: status.message for graph in graphs for name, status in graph.statuses.items()}
        assert time.monotonic() < until, f"no {what} within {DEADLINE} s; the nodes say {said}"
        for graph in graphs:
            graph.spin_once(0.05 / len(graphs))


def stamps(messages: list[Any]) -> list[int]:
    """The header stamps of messages, in ns."""
    return [from_stamp(message.header.stamp) for message in messages]
