"""Parameters and names of all nodes, in a namespace: described, ranged, and changed while planning."""

import array
import json
from collections.abc import Generator, Iterator
from functools import partial
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import rclpy
import yaml
from harness import LATCHED, NEWEST, Graph
from ports import free_port
from std_msgs.msg import Float64, Float64MultiArray, String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.files import share_path
from polo_ros.nodes.messages import unpack_numbers, unpack_traces
from polo_ros.nodes.messages.displays import LINE_POINTS
from polo_ros.parameters.node_tables import NODES, tuning_order
from polo_ros.parameters.settings import settings_for
from polo_ros.parameters.yaml_files import ParameterFile
from polo_ros.tasks import task_class

TASK = task_class("cartpole_swingup")
ABSOLUTE = {"/diagnostics", "/parameter_events", "/rosout"}  # the last two are ROS 2's own


class Robot1:
    """All four nodes below /robot1, planning in lockstep."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plans = graph.record(JointTrajectory, "/robot1/planner_node/plan", NEWEST)
        self.commands = graph.record(Float64MultiArray, "/robot1/effort_controller/commands")
        # the rarely updating learner leaves the machine to the planner
        graph.start("simulator_node", namespace="/robot1")
        graph.start("planner_node", namespace="/robot1", autostart=True)
        graph.start("learner_node", namespace="/robot1", update_period=1000)
        graph.start("viewer_node", namespace="/robot1", port=free_port())

    def wait_for_plans(self, count: int = 5) -> None:
        seen = len(self.plans)
        self.graph.wait(lambda: len(self.plans) >= seen + count, "plans")

    def plans_with(self, knots_and_end: tuple[int, Any]) -> bool:
        """Whether the newest plan has so many knots, the last of them so many s after its start."""
        points = self.plans[-1].points
        end = points[-1].time_from_start.sec + 1e-9 * points[-1].time_from_start.nanosec
        return (len(points), end) == knots_and_end

    def sees(self, node: str) -> bool:
        """Whether the probe has found a node."""
        return (node, "/robot1") in self.graph.node.get_node_names_and_namespaces()


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Generator[Robot1]:
    with Graph(tmp_path_factory.mktemp("robot1")) as graph:
        robot = Robot1(graph)
        robot.wait_for_plans()
        yield robot


def test_whole_numbers_are_taken_for_floats(robot: Robot1) -> None:
    """As `ros2 param set /planner_node temperature 1` sends them."""
    (result,) = robot.graph.set("/robot1/planner_node", temperature=1)
    assert result.successful, result.reason
    assert robot.graph.parameters("/robot1/planner_node", ["temperature"]) == [1.0]
    (result,) = robot.graph.set("/robot1/planner_node", temperature=0.3)
    assert result.successful
    (refused,) = robot.graph.set("/robot1/planner_node", horizon=8.5)
    assert not refused.successful


def test_keys_of_parameter_files_match_as_in_rclpy(tmp_path: Path) -> None:
    """Our reader and that of ROS 2 find the same parameters under every kind of key."""
    keys = [
        "planner_node", "/**", "/**/planner_node", "/*/planner_node", "/ns/planner_node", "ns/*", "/ns/**",
        "/**/ns/planner_node", "/ns/**/planner_node", "/*", "/**/*", "/*/*", "/learner_node",
    ]  # fmt: skip
    path = tmp_path / "file.yaml"
    path.write_text("".join(f"{key!r}:\n  ros__parameters: {{p{i}: {i}}}\n" for i, key in enumerate(keys)))
    context = rclpy.Context()
    rclpy.init(args=["--ros-args", "--params-file", str(path)], context=context)
    try:
        for namespace in ("/", "/ns", "/a/ns"):
            node = rclpy.create_node(
                "planner_node", context=context, namespace=namespace,
                automatically_declare_parameters_from_overrides=True,
            )  # fmt: skip
            theirs = {f"p{i}" for i in range(len(keys)) if node.has_parameter(f"p{i}")}
            assert set(ParameterFile.read(path).values(node.get_fully_qualified_name())) == theirs
            node.destroy_node()
    finally:
        rclpy.shutdown(context=context)


def test_what_a_parameter_dump_holds_starts_the_same_node(graph: Graph) -> None:
    """In the format of `ros2 param dump`: nested groups, ROS 2's own parameters among them."""
    graph.start("planner_node", namespace="/robot1", horizon=21, safety__ramp_time=0.5, seed=3)
    names = sorted(graph.describe("/robot1/planner_node"))
    before = graph.parameters("/robot1/planner_node", names)
    assert "use_sim_time" in names and any(name.startswith("qos_overrides.") for name in names)
    tree: dict[str, Any] = {}
    for name, value in zip(names, before, strict=True):
        *groups, last = name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[last] = list(value) if isinstance(value, array.array) else value
    dump = graph.folder / "dump.yaml"
    dump.write_text(yaml.dump({"/robot1/planner_node": {"ros__parameters": tree}}))
    assert graph.end("planner_node") == 0
    graph.start("planner_node", "again", config=dump, namespace="/robot1")
    assert graph.parameters("/robot1/planner_node", names) == before


@pytest.mark.parametrize("node", NODES)
def test_every_parameter_is_described_and_every_dynamic_number_has_a_range(robot: Robot1, node: str) -> None:
    found = robot.graph.describe(f"/robot1/{node}")
    table = {spec.name: spec for spec in tuning_order(node, TASK)}
    # rqt_reconfigure shows them in the order in which they are listed
    assert [name for name in found if name in table] == list(table)
    for name, spec in table.items():
        descriptor = found[name]
        assert descriptor.description == spec.description
        assert descriptor.read_only is not spec.dynamic
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        if spec.dynamic and isinstance(spec.default, (int, float)) and not isinstance(spec.default, bool):
            assert len(ranges) == 1
        for limits in ranges:
            assert (limits.from_value, limits.to_value) == (spec.low, spec.high)
            assert limits.step == isinstance(spec.default, int)


@pytest.mark.parametrize(
    ("node", "parameters"),
    [
        ("planner_node", {"task": "humanoid_getup", "seed": 3, "control_rate": 100.0, "joints": ["hinge"]}),
        ("learner_node", {"ensemble_size": 3, "hidden": [4], "prior_scale": 1.0, "checkpoint_path": "x"}),
        ("simulator_node", {"lockstep": False, "model_path": "x", "seed": 3}),
    ],
)  # fmt: skip
def test_read_only_parameters_refuse(robot: Robot1, node: str, parameters: dict[str, object]) -> None:
    for result in robot.graph.set(f"/robot1/{node}", **parameters):
        assert not result.successful
        assert "read-only" in result.reason


def test_only_diagnostics_are_outside_the_namespace(robot: Robot1) -> None:
    node = robot.graph.node
    names = set()
    for name in NODES:
        robot.graph.wait(partial(robot.sees, name), name)
        for kinds in (
            node.get_publisher_names_and_types_by_node(name, "/robot1"),
            node.get_subscriber_names_and_types_by_node(name, "/robot1"),
            node.get_service_names_and_types_by_node(name, "/robot1"),
        ):
            names |= {topic for topic, _ in kinds}
    assert {name for name in names if not name.startswith("/robot1/")} <= ABSOLUTE
    assert {"/robot1/clock", "/diagnostics", "/robot1/joint_states", "/robot1/experience"} <= names


def test_changes_apply_between_two_plans(robot: Robot1) -> None:
    """Never a stall and never a zero command: the warm start is resampled."""
    planner = settings_for("cartpole_swingup").planner
    changes: list[tuple[str, Any]] = [
        ("horizon", 20), ("noise_knots", 6), ("rollouts", 40), ("temperature", 1.5), ("iterations", 2),
        ("noise_sigma", 0.3), ("interpolation", "linear"), ("noise", "white"), ("horizon", 30),
        ("noise", "knots"), ("reward__upright", 2.0), ("latency_compensation", False), ("horizon", 50),
    ]  # fmt: skip
    shape: dict[str, Any] = {
        "horizon": planner.horizon,
        "noise_knots": planner.noise_knots,
        "noise": planner.noise,
    }
    begun = len(robot.commands)
    for name, value in changes:
        (result,) = robot.graph.set("/robot1/planner_node", **{name: value})
        assert result.successful, result.reason
        shape[name] = value
        knots = shape["noise_knots"] if shape["noise"] == "knots" else shape["horizon"]
        wanted = (knots, pytest.approx(0.02 * (shape["horizon"] - 1)))
        robot.graph.wait(partial(robot.plans_with, wanted), f"a plan with {name} {value}")
        robot.wait_for_plans(3)
    forces = [message.data[0] for message in robot.commands[begun:]]
    assert len(forces) >= 3 * len(changes)
    assert all(forces)


def test_the_reward_follows_its_weights(robot: Robot1) -> None:
    rewards = robot.graph.record(Float64, "/robot1/planner_node/reward")
    zero = {f"reward__{term.name}": 0.0 for term in TASK.terms}
    assert all(result.successful for result in robot.graph.set("/robot1/planner_node", **zero))
    robot.graph.wait(lambda: rewards and rewards[-1].data == 0.0, "rewards of zero")
    defaults = {f"reward__{term.name}": term.weight for term in TASK.terms}
    assert all(result.successful for result in robot.graph.set("/robot1/planner_node", **defaults))
    robot.graph.wait(lambda: rewards[-1].data != 0.0, "rewards")


def test_a_change_is_judged_with_what_is_in_force(robot: Robot1) -> None:
    robot.graph.set("/robot1/planner_node", noise_knots=4, rollouts=20, horizon=50)
    (refused,) = robot.graph.set("/robot1/planner_node", noise_knots=32)
    assert not refused.successful and "rollouts" in refused.reason
    robot.wait_for_plans(3)
    more, knots = robot.graph.set("/robot1/planner_node", rollouts=60, noise_knots=32)
    assert more.successful and knots.successful
    robot.graph.wait(lambda: len(robot.plans[-1].points) == 32, "a plan of 32 knots")
    back, fewer = robot.graph.set("/robot1/planner_node", noise_knots=4, rollouts=20)
    assert back.successful and fewer.successful


def test_candidate_trajectories_are_drawn_for_who_looks(robot: Robot1) -> None:
    traces = robot.graph.record(MarkerArray, "/robot1/planner_node/candidate_trajectories", NEWEST)
    robot.graph.wait(lambda: traces, "candidate trajectories")
    line = unpack_traces(traces[0]).best
    assert line.shape == (min(settings_for("cartpole_swingup").planner.horizon + 1, LINE_POINTS), 3)


def test_reward_terms_add_up_to_the_reward_and_are_named(robot: Robot1) -> None:
    names = robot.graph.record(String, "/robot1/planner_node/reward_terms/names", LATCHED)
    terms = robot.graph.record(Float64MultiArray, "/robot1/planner_node/reward_terms")
    rewards = robot.graph.record(Float64, "/robot1/planner_node/reward")
    robot.graph.wait(lambda: names and len(terms) > 5 and len(rewards) > 5, "reward terms")
    assert names[0].data.split(",") == [term.name for term in TASK.terms]
    found = [unpack_numbers(message, "reward terms") for message in terms]
    assert all(set(each) == set(names[0].data.split(",")) for each in found)
    # the two topics are subscribed to one after the other: compare the plans that both show
    sums = {round(sum(each.values()), 9) for each in found}
    assert sums & {round(message.data, 9) for message in rewards}


def test_what_is_tuned_comes_first_and_what_cannot_be_changed_last(robot: Robot1) -> None:
    descriptors = list(robot.graph.describe("/robot1/planner_node").values())
    own = [each for each in descriptors if not each.name.startswith(("qos_overrides.", "use_sim", "start_"))]
    kinds = [(each.read_only, "." in each.name) for each in own]
    dynamic = [kind for kind in kinds if not kind[0]]
    assert kinds[: len(dynamic)] == sorted(dynamic)
    assert [each.name for each in own[:3]] == ["horizon", "rollouts", "temperature"]
    groups = [each.name.partition(".")[0] for each in own[: len(dynamic)] if "." in each.name]
    assert [group for group, _ in groupby(groups)] == ["reward", "safety"]


def topics_of_layouts() -> Iterator[tuple[str, str, str]]:
    """File, topic and what it must be, of each topic in the layouts for other tools: a type or a field."""
    displays: Any = yaml.safe_load(share_path("config", "polo.rviz").read_text())["Visualization Manager"]
    for display in displays["Displays"]:
        if "Topic" in display:
            yield "rviz", display["Topic"]["Value"], display["Class"].rpartition("/")[2]
    panels: Any = json.loads(share_path("config", "polo.foxglove.json").read_text())["configById"]
    for name, panel in panels.items():
        for topic in panel.get("topics", {}):
            yield "foxglove", topic, "Odometry" if topic == "/odom" else "MarkerArray"
        for path in panel.get("paths", []):
            topic, _, field = path["value"].partition(".")
            yield "foxglove", topic, field
        if "topicToRender" in panel:
            assert name.startswith("DiagnosticSummary")
            yield "foxglove", panel["topicToRender"], "DiagnosticArray"
    for curve in ElementTree.parse(share_path("config", "polo.plotjuggler.xml")).iter("curve"):
        topic, _, field = curve.attrib["name"].rpartition("/")
        yield "plotjuggler", topic, field


def test_layouts_for_other_tools_name_topics_of_the_graph(robot: Robot1) -> None:
    robot.wait_for_plans()
    kinds = {
        name.removeprefix("/robot1"): types for name, types in robot.graph.node.get_topic_names_and_types()
    }
    kinds["/odom"] = ["nav_msgs/msg/Odometry"]  # of robots with a floating base; see docs/interface.md
    found = list(topics_of_layouts())
    assert {file for file, *_ in found} == {"rviz", "foxglove", "plotjuggler"} and len(found) > 15
    for file, topic, wanted in found:
        (kind,) = kinds[f"/{topic.removeprefix('/')}"]
        field, _, index = wanted.partition("[")
        if field == "data":
            package, _, name = kind.partition("/msg/")
            message = getattr(import_module(f"{package}.msg"), name)
            assert "data" in message.get_fields_and_field_types(), (file, topic)
            assert not index or int(index.rstrip("]")) < len(TASK.terms), (file, topic)
        else:
            assert kind.endswith(f"/{wanted}"), (file, topic)
