"""What a running graph opens to the network, and that the access policy fits it."""

import os
import socket
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Generator
from pathlib import Path

import pytest
from harness import Graph
from rclpy.node import Node

from polo_ros.files import share_path
from polo_ros.nodes.locality import DISCOVERY_RANGE, PROFILES, profile_variable

NODES = ("simulator_node", "planner_node", "learner_node", "viewer_node")
PORT = 18_911
LOOPBACK = "0100007F"  # 127.0.0.1 as /proc/net writes it
ANY = "00000000"
LISTENING = "0A"
# of the policy, what tasks other than this one use: an odometry, free objects, goals, servos
OTHER_TASKS = {"/cmd_vel", "/velocity_goal", "/goal", "/imu", "/odom"}
OTHER_TASKS |= {"/objects/box/odom", "/objects/cube/odom"}
# of the viewer, what it subscribes to while a browser is open
WATCHED = {f"/planner_node/{name}" for name in ("candidate_trajectories", "summary", "summary/plan")}
WATCHED |= {"/diagnostics", "/parameter_events", "/joint_states", "/value_function/weights"}
SERVOS = ("/position_controller/commands", "/joint_trajectory_controller/joint_trajectory")
OTHER_TASKS |= {f"{topic}{end}" for topic in SERVOS for end in ("", "/source")}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Generator[Graph]:
    """All nodes, with DDS on the loopback interface alone."""
    with Graph(tmp_path_factory.mktemp("security")) as graph:
        profile = share_path("config", "security", "localhost.xml")
        graph.environment[profile_variable(os.environ)] = str(profile)
        graph.start("simulator_node")
        graph.start("planner_node", use_sim_time=True, autostart=True)
        graph.start("learner_node", use_sim_time=True)
        graph.start("viewer_node", use_sim_time=True, port=PORT)
        graph.wait(lambda: set(NODES) <= set(graph.statuses), "diagnostics of all nodes")
        yield graph


def sockets(pid: int) -> list[tuple[str, str, int, str]]:
    """Protocol, local address, port and state of a process's sockets."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    found = []
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]:
            columns = line.split()
            address, port = columns[1].split(":")
            if f"socket:[{columns[9]}]" in links:
                found.append((protocol, address, int(port, 16), columns[3]))
    return found


def test_only_the_viewer_listens_and_only_on_this_machine(graph: Graph) -> None:
    for name in NODES:
        listening = [
            (address, port)
            for protocol, address, port, state in sockets(graph.children[name].pid)
            if protocol.startswith("tcp") and state == LISTENING
        ]
        assert {address for address, _ in listening} <= {LOOPBACK}, name
        assert bool(listening) == (name == "viewer_node"), name
    assert (LOOPBACK, PORT) in listening


def test_with_the_profile_dds_has_its_ports_on_the_loopback_interface(graph: Graph) -> None:
    first = 7400 + 250 * graph.domain  # the ports of a domain, by the DDS standard
    for name in NODES:
        ports = {
            (address, port)
            for protocol, address, port, _ in sockets(graph.children[name].pid)
            if protocol == "udp" and first <= port < first + 250
        }
        assert ports, f"{name} has no port of the domain"
        assert {address for address, _ in ports} == {LOOPBACK}, name


LISTENER = """
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
rclpy.init()
node, heard = rclpy.create_node("another_shell"), set()
node.create_subscription(
    DiagnosticArray, "/diagnostics", lambda message: heard.update(each.name for each in message.status), 10
)
while not {"simulator_node", "planner_node"} <= heard:
    rclpy.spin_once(node)
"""


def test_the_demo_listens_on_this_machine_alone_and_another_shell_finds_it(tmp_path: Path) -> None:
    with Graph(tmp_path) as graph:
        for name in (DISCOVERY_RANGE, *PROFILES):
            graph.environment.pop(name, None)
        demo = [sys.executable, "-m", "polo_ros.nodes.demo", "--task", "cartpole_swingup", "--no-learn"]
        # without this reward the pole is never swung up, so that the demo goes on
        graph.run("demo", [*demo, "-p", "reward.upright:=0.0", "--out", str(tmp_path / "out")])
        graph.run("another shell", [sys.executable, "-c", LISTENER])
        assert graph.exit_code("another shell") == 0, graph.log("another shell")
        demo_process = graph.children["demo"].pid
        children = Path(f"/proc/{demo_process}/task/{demo_process}/children").read_text().split()
        assert len(children) == 2
        for pid in map(int, [demo_process, *children]):
            udp = [(address, port) for kind, address, port, _ in sockets(pid) if kind.startswith("udp")]
            assert LOOPBACK in {address for address, _ in udp}
            for address, port in udp:
                assert address == LOOPBACK or not is_read(address, port), f"{address}, port {port}"


def is_read(address: str, port: int) -> bool:
    """Whether anyone reads what comes to a UDP port: Fast DDS has sockets only for sending, too."""
    host = "127.0.0.1" if address == ANY else socket.inet_ntoa(bytes.fromhex(address)[::-1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"anyone?", (host, port))
    time.sleep(0.1)  # long for whoever waits for it; where nobody reads, the next line is true at any time
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1] == f"{address}:{port:04X}":
            return int(columns[4].partition(":")[2], 16) == 0
    raise AssertionError(f"no socket at {address}, port {port}")


def policy(name: str) -> dict[str, set[str]]:
    """What a node may publish, subscribe, reply and request, as absolute names."""
    tree = ElementTree.parse(share_path("config", "security", "polo_ros.policy.xml"))
    profile = tree.find(f".//enclave[@path='/polo_ros/{name}']/profiles/profile[@node='{name}']")
    assert profile is not None
    allowed: dict[str, set[str]] = {kind: set() for kind in ("publish", "subscribe", "reply", "request")}
    for group in profile:
        for kind in allowed:
            if group.get(kind) == "ALLOW":
                allowed[kind] |= {absolute(entry.text or "", name) for entry in group}
    return allowed


def absolute(name: str, node: str) -> str:
    if name.startswith("~"):
        return f"/{node}{name[1:]}"
    return name if name.startswith("/") else f"/{name}"


def used(probe: Node, name: str) -> dict[str, set[str]]:
    """What a running node publishes, subscribes, replies and requests."""
    ask = {
        "publish": probe.get_publisher_names_and_types_by_node,
        "subscribe": probe.get_subscriber_names_and_types_by_node,
        "reply": probe.get_service_names_and_types_by_node,
        "request": probe.get_client_names_and_types_by_node,
    }
    return {kind: {topic for topic, _ in names(name, "/")} for kind, names in ask.items()}


@pytest.mark.parametrize("name", NODES)
def test_the_policy_allows_what_a_node_uses_and_nothing_else(graph: Graph, name: str) -> None:
    allowed, in_use = policy(name), used(graph.node, name)
    for kind, names in in_use.items():
        assert names <= allowed[kind], f"{name} may not {kind} {names - allowed[kind]}"
        unused = OTHER_TASKS | (WATCHED if (name, kind) == ("viewer_node", "subscribe") else set())
        assert allowed[kind] - names <= unused, f"{name} need not {kind} {allowed[kind] - names}"


@pytest.mark.parametrize(
    ("task", "planner"),
    [
        ("humanoid_walk", {"use_imu": True, "lockstep": False}),
        ("humanoid_box", {}),
        ("hand_cube", {"command_message": "trajectory", "lockstep": False}),
    ],
)
def test_the_policy_allows_what_other_tasks_and_options_use(
    tmp_path: Path, task: str, planner: dict[str, object]
) -> None:
    with Graph(tmp_path) as graph:
        config = share_path("config", f"{task}.yaml")
        graph.start("simulator_node", config=config)
        graph.start("planner_node", config=config, **planner)
        graph.wait(lambda: {"simulator_node", "planner_node"} <= set(graph.statuses), "diagnostics")
        for name in ("simulator_node", "planner_node"):
            allowed = policy(name)
            for kind, names in used(graph.node, name).items():
                assert names <= allowed[kind], f"{name} may not {kind} {names - allowed[kind]}"
