"""The launch files: their arguments and what they start, by the library of ros2 launch."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from launching import SHARED, needs_launch
from workspace import LAUNCH_ARGUMENTS

from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.files import config_path
from polo_ros.nodes.locality import DISCOVERY_RANGE, PROFILES, profile_variable
from polo_ros.nodes.recorder import topics
from polo_ros.tasks import make_task, task_classes

# what `polo record` writes, a bag of ros2 launch holds, too
RECORDED = tuple(
    name for _, name, _ in topics(JointMapping(make_task("humanoid_box").model)) if not name.startswith("/")
)


def test_each_task_has_a_copy_of_the_launch_file_and_a_parameter_file(install: Path) -> None:
    folder = install / "polo_ros" / "share" / "polo_ros" / "launch"
    for task in task_classes():
        assert (folder / f"{task}.launch.py").read_bytes() == SHARED.read_bytes()
        assert config_path(task) is not None


def test_the_launch_file_evaluates_and_fetches_nothing() -> None:
    found = re.search(r"\beval\b|\bexec\(|PythonExpression|\bpip\b|urllib|requests|http", SHARED.read_text())
    assert found is None, found


@pytest.fixture
def installed(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process find the package as launch does."""
    monkeypatch.setenv("AMENT_PREFIX_PATH", environment["AMENT_PREFIX_PATH"])


def description(path: Path = SHARED) -> Any:
    """A launch file's description."""
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    return PythonLaunchDescriptionSource(str(path)).try_get_launch_description_without_context()


def visit(**given: str) -> tuple[Any, list[str], list[str]]:
    """What launch would do with arguments; nothing is started.

    Returns:
      The launch context, the executables that would be started, and the command of the recorder, empty
      where nothing is recorded.
    """
    from launch import LaunchContext
    from launch.actions import ExecuteProcess, OpaqueFunction
    from launch.utilities import perform_substitutions
    from launch_ros.actions import Node as LaunchNode

    context = LaunchContext()
    context.launch_configurations.update({"task": "cartpole_swingup", **given})
    executables: list[str] = []
    recorder: list[str] = []
    pending = list(description().entities)
    while pending:
        action = pending.pop(0)
        if action.condition is not None and not action.condition.evaluate(context):
            continue
        if isinstance(action, LaunchNode):
            executables.append(action.node_executable)
        elif isinstance(action, OpaqueFunction):
            pending[:0] = action.execute(context) or []
        elif isinstance(action, ExecuteProcess):
            recorder = [perform_substitutions(context, word) for word in action.cmd]
        else:
            action.execute(context)
    return context, executables, recorder


@needs_launch
def test_arguments_are_those_of_the_contract_and_described() -> None:
    arguments = description().get_launch_arguments()
    assert {argument.name for argument in arguments} == LAUNCH_ARGUMENTS
    for argument in arguments:
        # launch adds the choices to what is written
        own = argument.description.partition(" Valid choices are")[0]
        assert own.endswith(".") and len(own.split()) >= 3, argument.name


@needs_launch
@pytest.mark.parametrize("task", task_classes())
def test_a_copy_starts_the_task_of_its_name_and_no_other(task: str, install: Path) -> None:
    path = install / "polo_ros" / "share" / "polo_ros" / "launch" / f"{task}.launch.py"
    arguments = {argument.name: argument for argument in description(path).get_launch_arguments()}
    assert arguments.keys() == LAUNCH_ARGUMENTS
    assert [part.text for part in arguments["task"].default_value] == [task]
    assert arguments["task"].choices == [task]


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("given", "executables"),
    [
        ({}, {"simulator_node", "planner_node", "learner_node"}),
        ({"use_sim": "false"}, {"planner_node", "learner_node"}),
        ({"learn": "false"}, {"simulator_node", "planner_node"}),
        (
            {"viewer": "true", "rviz": "true"},
            {"simulator_node", "planner_node", "learner_node", "viewer_node", "rviz2"},
        ),
    ],
)
def test_switches_choose_what_is_started(given: dict[str, str], executables: set[str]) -> None:
    _, started, recorder = visit(**given)
    assert len(started) == len(executables)
    assert set(started) == executables
    assert not recorder


@needs_launch
@pytest.mark.usefixtures("installed")
def test_a_fleet_has_one_learner(install: Path) -> None:
    path = install / "polo_ros" / "share" / "polo_ros" / "launch" / "fleet.launch.py"
    arguments = {argument.name: argument for argument in description(path).get_launch_arguments()}
    assert arguments.keys() == LAUNCH_ARGUMENTS
    defaults = {name: arguments[name].default_value[0].text for name in ("robots", "task")}
    assert defaults == {"robots": "3", "task": "cartpole_swingup"}
    _, started, _ = visit(robots="3", viewer="true")
    robots = ["planner_node", "simulator_node", "viewer_node"]
    assert sorted(started) == sorted([*robots * 3, "learner_node"])


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("robots", ["0", "-1", "many"])
def test_a_number_of_robots_that_is_none_is_refused(robots: str) -> None:
    with pytest.raises(PoloError, match=f"robots must be a whole number from 1 on, not {robots}"):
        visit(robots=robots)


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("use_sim", ["true", "false"])
def test_hardware_neither_starts_by_itself_nor_waits_for_a_simulator(use_sim: str) -> None:
    context, _, _ = visit(use_sim=use_sim)
    for name in ("autostart", "use_sim_time"):
        assert context.launch_configurations[name] == use_sim


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"params_file": "absent.yaml"}, "absent.yaml could not be read (No such file or directory)"),
        ({"overrides": "absent.yaml"}, "absent.yaml could not be read (No such file or directory)"),
        ({"overrides": "{horizon: 20"}, "is not valid YAML"),
        ({"overrides": "- 1\n- 2"}, "must map parameters to values"),
    ],
)
def test_a_bad_file_of_parameters_is_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(PoloError) as caught:
        visit(**given)
    assert sentence in str(caught.value)


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("before", "use_sim", "after"),
    [
        (None, "true", "LOCALHOST"),
        ("SUBNET", "true", "SUBNET"),
        (None, "false", None),
        ("SUBNET", "false", "SUBNET"),
    ],
)
def test_discovery_stays_on_localhost_while_simulating(
    monkeypatch: pytest.MonkeyPatch, before: str | None, use_sim: str, after: str | None
) -> None:
    name = DISCOVERY_RANGE
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    for profile in PROFILES:
        monkeypatch.setenv(profile, "")
    context, _, _ = visit(use_sim=use_sim)
    assert context.environment.get(name) == after
    profile = context.environment.get(profile_variable(os.environ), "")
    assert Path(profile).name == ("localhost.xml" if after == "LOCALHOST" else "")


@needs_launch
def test_the_nodes_may_be_reached_where_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DISCOVERY_RANGE, raising=False)
    context, _, _ = visit(use_sim="true", localhost="false")
    assert DISCOVERY_RANGE not in context.environment


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("namespace", "prefix"), [("", "/"), ("robot1", "/robot1/"), ("/a/b", "/a/b/")])
def test_a_bag_holds_the_robots_topics_and_no_other_robots(namespace: str, prefix: str) -> None:
    _, _, recorder = visit(record="true", namespace=namespace)
    assert recorder[:4] == ["ros2", "bag", "record", "--regex"]
    pattern = re.compile(recorder[4])
    assert all(pattern.search(prefix + topic) for topic in RECORDED)
    assert all(pattern.search(topic) for topic in ("/diagnostics", "/tf"))
    others = (
        "/robot2/joint_states",
        "/robot2/clock",
        "/parameter_events",
        "/rosout",
        f"{prefix}camera/image_raw",
    )
    assert not any(pattern.search(topic) for topic in others)


@needs_launch
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("namespace", "prefix"), [("", "/"), ("hall", "/hall/")])
def test_a_bag_of_a_fleet_holds_all_its_robots(namespace: str, prefix: str) -> None:
    _, _, recorder = visit(record="true", namespace=namespace, robots="2")
    pattern = re.compile(recorder[4])
    for robot in ("robot1", "robot2"):
        assert all(pattern.search(f"{prefix}{robot}/{topic}") for topic in RECORDED)
    assert pattern.search(f"{prefix}value_function/weights")
    assert not pattern.search("/elsewhere/robot1/joint_states")
