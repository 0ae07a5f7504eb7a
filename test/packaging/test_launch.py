"""The launch files: their arguments, what they start, and real runs of `ros2 launch`."""

import importlib.util
import os
import re
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
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from workspace import LAUNCH_ARGUMENTS, SOURCE

from polo_ros.errors import PoloError
from polo_ros.files import config_path
from polo_ros.nodes.locality import DISCOVERY_RANGE, PROFILES
from polo_ros.tasks import task_classes

SHARED = SOURCE / "launch" / "polo.launch.py"
RECORDED = (
    "clock", "joint_states", "odom", "objects/box/odom", "goal", "effort_controller/commands",
    "position_controller/commands", "experience", "experience/schema", "value_function/weights",
    "hardware/e_stop", "planner_node/plan", "planner_node/candidate_trajectories", "planner_node/reward",
    "planner_node/value", "planner_node/value_std", "planner_node/plan_time",
)  # fmt: skip
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


def test_each_task_has_a_copy_of_the_launch_file_and_a_parameter_file(install: Path) -> None:
    folder = install / "polo_ros" / "share" / "polo_ros" / "launch"
    for task in task_classes():
        assert (folder / f"{task}.launch.py").read_bytes() == SHARED.read_bytes()
        assert config_path(task) is not None


def test_the_launch_file_evaluates_and_fetches_nothing() -> None:
    found = re.search(r"\beval\b|\bexec\(|PythonExpression|\bpip\b|urllib|requests|http", SHARED.read_text())
    assert found is None, found


@pytest.fixture(scope="session")
def environment(sourced: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        **sourced,
        "ROS_DOMAIN_ID": str(DOMAIN),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(tmp_path_factory.mktemp("ros_log")),
    }


# ---- in this process, with the library of ros2 launch


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
    profiles = {Path(context.environment.get(profile, "")).name for profile in PROFILES}
    assert profiles == {"localhost.xml" if after == "LOCALHOST" else ""}


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


# ---- real runs


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator["Listener"]:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = Listener()
    yield made
    made.close()


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
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)


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


@needs_ros2
def test_show_args_is_the_manual(environment: dict[str, str]) -> None:
    shown = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "--show-args"],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    assert all(f"'{name}':" in shown for name in LAUNCH_ARGUMENTS)


@needs_ros2
def test_the_simulation_runs_and_ends_cleanly(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    stamps: set[tuple[int, int]] = set()
    listener.node.create_subscription(
        JointState, "joint_states", lambda m: stamps.add((m.header.stamp.sec, m.header.stamp.nanosec)), 10
    )
    with launched(environment, tmp_path) as launch:
        # in lockstep, time passes only under the planner's commands
        listener.wait(lambda: len(stamps) > 10, launch)
        names = ["task", "use_sim_time", "lockstep", "autostart", "rollouts"]
        expected = ["cartpole_swingup", True, True, True, 20]
        assert listener.parameters("planner_node", names, launch) == expected
        assert listener.parameters("simulator_node", names[:3], launch) == expected[:3]
        assert listener.parameters("learner_node", names[:2], launch) == expected[:2]
        output = interrupt(launch)
    assert launch.returncode == 0, output
    assert output.count("process has finished cleanly") == 3, output


@needs_ros2
@pytest.mark.parametrize("task", task_classes())
def test_every_task_launches(
    task: str, environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    stamps: set[tuple[int, int]] = set()
    listener.node.create_subscription(
        JointState, "joint_states", lambda m: stamps.add((m.header.stamp.sec, m.header.stamp.nanosec)), 10
    )
    with launched(environment, tmp_path, task=task) as launch:
        listener.wait(lambda: len(stamps) > 10, launch)
        assert listener.parameters("planner_node", ["task"], launch) == [task]
        output = interrupt(launch)
    assert launch.returncode == 0, output


@needs_ros2
def test_hardware_starts_disabled_and_arguments_beat_the_parameter_file(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    params_file = tmp_path / "own.yaml"
    params_file.write_text(
        "robot1:\n  planner_node:\n    ros__parameters:\n"
        "      {control_rate: 50.0, rollouts: 17, autostart: true, model_path: nowhere.xml}\n"
    )
    model = str(SOURCE / "models" / "cartpole.xml")
    with launched(
        environment, tmp_path, "use_sim:=false", "learn:=false", "namespace:=robot1",
        f"params_file:={params_file}", f"model_path:={model}",
    ) as launch:  # fmt: skip
        names = ["rollouts", "model_path", "autostart", "lockstep", "use_sim_time"]
        expected = [17, model, False, False, False]
        assert listener.parameters("robot1/planner_node", names, launch) == expected
        nodes = {name for name, space in listener.node.get_node_names_and_namespaces() if space == "/robot1"}
        output = interrupt(launch)
    assert nodes == {"planner_node"}
    assert launch.returncode == 0, output


@needs_ros2
def test_the_clock_follows_the_namespace(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    times: list[int] = []
    listener.node.create_subscription(Clock, "/robot1/clock", lambda m: times.append(m.clock.nanosec), 10)
    with launched(environment, tmp_path, "namespace:=robot1", "learn:=false", "lockstep:=false") as launch:
        listener.wait(lambda: len(times) > 10, launch)
        assert not listener.node.count_publishers("/clock")
        readers = listener.node.get_subscriptions_info_by_topic
        listener.wait(lambda: "planner_node" in {r.node_name for r in readers("/robot1/clock")}, launch)
        interrupt(launch)


@needs_ros2
def test_an_empty_argument_leaves_the_parameter_files_value(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    model = str(SOURCE / "models" / "cartpole.xml")
    params_file = tmp_path / "own.yaml"
    params_file.write_text(
        "/**:\n  ros__parameters: {control_rate: 50.0}\n"
        f"/**/planner_node:\n  ros__parameters: {{model_path: {model}}}\n"
    )
    with launched(
        environment, tmp_path, "use_sim:=false", "learn:=false", f"params_file:={params_file}"
    ) as launch:
        assert listener.parameters("planner_node", ["model_path"], launch) == [model]
        interrupt(launch)


@needs_ros2
def test_a_choice_that_there_is_not_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    refused = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "use_sim:=maybe"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert refused.returncode != 0
    assert 'Argument "use_sim" provided value "maybe" is not valid' in refused.stderr + refused.stdout


@needs_ros2
def test_overrides_and_seed_are_layered_over_the_tasks_file(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    with launched(
        environment, tmp_path, "overrides:={horizon: 20, safety: {ramp_time: 1}, lockstep: false}", "seed:=7"
    ) as launch:
        names = ["horizon", "safety.ramp_time", "seed", "lockstep", "rollouts", "noise_sigma"]
        assert listener.parameters("planner_node", names, launch) == [20, 1.0, 7, False, 20, 0.5]
        assert listener.parameters("simulator_node", names[2:4], launch) == [7, False]
        assert listener.parameters("learner_node", names[2:3], launch) == [7]
        interrupt(launch)


@needs_ros2
def test_a_misspelt_parameter_ends_the_launch_with_its_sentence(
    environment: dict[str, str], tmp_path: Path
) -> None:
    ended = subprocess.run(
        ["ros2", "launch", "polo_ros", "cartpole_swingup.launch.py", "overrides:={horizont: 20}"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode != 0
    said = ended.stderr + ended.stdout
    assert re.search(
        "_node has ended, so everything stops: .*has a parameter horizont; did you mean", said
    ), said
    assert "Traceback" not in said


@needs_ros2
def test_what_param_dump_writes_of_a_running_graph_starts_the_same_graph(
    environment: dict[str, str], listener: Listener, tmp_path: Path
) -> None:
    names = ["horizon", "reward.upright", "safety.ramp_time", "lockstep", "seed", "joints"]
    dump = tmp_path / "dump.yaml"
    with launched(
        environment, tmp_path, "overrides:={horizon: 21, safety.ramp_time: 0.5}", "seed:=5"
    ) as launch:
        before = listener.parameters("planner_node", names, launch)
        for node in ("planner_node", "learner_node", "simulator_node"):
            listener.parameters(node, ["task"], launch)
            written = subprocess.run(
                ["ros2", "param", "dump", f"/{node}"],
                env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
            ).stdout  # fmt: skip
            assert f"/{node}:" in written
            dump.write_text((dump.read_text() if dump.exists() else "") + written)
        interrupt(launch)
    with launched(environment, tmp_path, f"params_file:={dump}") as launch:
        assert listener.parameters("planner_node", names, launch) == before
        listener.parameters("learner_node", ["task"], launch)
        listener.parameters("simulator_node", ["task"], launch)
        output = interrupt(launch)
    assert launch.returncode == 0, output
