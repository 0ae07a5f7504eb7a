"""Starts the nodes for a task: simulator, planner, learner, and the viewers.

The package installs a copy of this file for each task, such as humanoid_getup.launch.py. A copy starts the
task that it is named after; polo.launch.py takes the task as an argument, as does the copy fleet.launch.py,
which starts three robots. `--show-args` lists the arguments.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessIO
from launch.events import Shutdown
from launch.events.process import ProcessExited, ProcessIO
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from polo_ros.files import config_path
from polo_ros.nodes.fleet import WEIGHTS, Robot, namespace_of, robots
from polo_ros.nodes.locality import local_environment
from polo_ros.parameters.layers import given_values, overrides_layer
from polo_ros.parameters.node_tables import ViewerNodeConfig
from polo_ros.parameters.yaml_files import ParameterFile

# the task that the file is named after; "polo" and "fleet" are none
NAME = Path(__file__).name.removesuffix(".launch.py")

# Topics that a bag needs to replay a run: those in the robot's namespace, and those outside any namespace.
RECORDED = (
    "clock|joint_states|odom|imu|objects/[^/]+/odom|goal|cmd_vel|(effort|position)_controller/commands"
    "|hardware/e_stop|experience|experience/schema|value_function/weights|planner_node/(plan"
    "|candidate_trajectories|reward|reward_terms(/names)?|value|value_std|plan_time|effective_sample_size)"
)
RECORDED_GLOBALLY = "/(diagnostics|tf)"
# robots that share a clock would turn back each other's time; without a namespace, this changes nothing
OWN_CLOCK = ("/clock", "clock")


def argument(name: str, default: object, description: str) -> DeclareLaunchArgument:
    """A launch argument with a default."""
    return DeclareLaunchArgument(name, default_value=default, description=description)


def switch(name: str, default: object, description: str) -> DeclareLaunchArgument:
    """A launch argument that is true or false."""
    return DeclareLaunchArgument(
        name, default_value=default, description=description, choices=["true", "false"]
    )


def arguments() -> list[DeclareLaunchArgument]:
    """All launch arguments."""
    use_sim = LaunchConfiguration("use_sim")
    several = {"polo": {}, "fleet": {"default_value": "cartpole_swingup"}}
    fixed = several.get(NAME, {"default_value": NAME, "choices": [NAME]})
    return [
        DeclareLaunchArgument(
            "task",
            description="Name of the task, as `polo tasks` lists it, or path of a task's Python file.",
            **fixed,
        ),
        switch("use_sim", "true", "Start the simulator; false where a robot's drivers take its place."),
        switch("use_sim_time", use_sim, "Take time from /clock, or from clock in the namespace."),
        DeclareLaunchArgument(
            "lockstep", default_value="", choices=["", "true", "false"],
            description="The simulation waits for each command, so that a seeded run repeats to the bit; "
            "false runs in real time, as a robot does; empty for the params_file's, and false without a "
            "simulator.",
        ),
        switch(
            "localhost", use_sim,
            "Keep DDS on this machine, unless your environment says otherwise; false lets other machines "
            "reach the nodes.",
        ),
        argument("namespace", "", "Namespace of all nodes and topics, such as robot1."),
        argument(
            "robots", "3" if NAME == "fleet" else "1",
            "How many robots teach one learner; several have namespaces of their own, robot1, robot2 and so "
            "on, with a clock each, and seeds that differ by 1000.",
        ),
        argument("params_file", "", "ROS 2 parameter file of all nodes; empty for the task's own, if any."),
        argument(
            "overrides", "",
            "Parameters over those of the params_file: a YAML file or YAML itself, such as '{horizon: 20}'.",
        ),
        argument("seed", "", "Seed of everything random in the nodes; empty for the params_file's."),
        argument("model_path", "", "MJCF file in place of the task's own; empty for the params_file's."),
        argument(
            "weights_file", "",
            "Value function to start from: a file, or a name in the package's models folder; empty for "
            "the params_file's.",
        ),
        switch("learn", "true", "Start the learner."),
        switch("viewer", "false", "Start the viewer, a web page on localhost."),
        switch("rviz", "false", "Start RViz with the planner's candidate trajectories."),
        switch("record", "false", "Record all topics into a bag in the current folder."),
        switch("autostart", use_sim, "Command from the start; false waits for ~/enable of the planner."),
        DeclareLaunchArgument(
            "log_level", default_value="info", choices=["debug", "info", "warn", "error", "fatal"],
            description="Least severity that the nodes log.",
        ),
    ]  # fmt: skip


def nodes(context: LaunchContext) -> list[Node | RegisterEventHandler]:
    """The package's nodes.

    A function of the context, because an empty argument stands for a default: passed on as it is, "" would
    replace the value of the parameter file.

    Raises:
      PoloError: a file with parameters is missing or no parameter file; `launch` would start without it.
    """

    def value(name: str) -> str:
        return str(LaunchConfiguration(name).perform(context))

    def given(name: str, kind: type = str) -> dict[str, ParameterValue]:
        return {name: ParameterValue(LaunchConfiguration(name), value_type=kind)} if value(name) else {}

    def of_its_own(robot: Robot, name: str) -> dict[str, int]:
        """What must differ between the nodes of a fleet's robots."""
        if not robot.name:
            return {}
        found = given_values(layers, f"{fleet}/{robot.name}/{name}")
        port = int(found.get("port", ViewerNodeConfig.port)) + robot.index
        ports = {"port": port} if name == "viewer_node" else {}
        return {"seed": robot.seed(int(found.get("seed", 0))), **ports}

    def node(
        name: str, condition: IfCondition | None, parameters: dict[str, object], robot: Robot
    ) -> list[Node | RegisterEventHandler]:
        full_name = f"{robot.name}/{name}".lstrip("/")
        own = of_its_own(robot, name)
        process = Node(
            package="polo_ros",
            executable=name,
            name=name,
            namespace=f"{fleet}/{robot.name}".rstrip("/"),
            remappings=[OWN_CLOCK, *([(WEIGHTS, f"{fleet}/{WEIGHTS}")] if robot.name else [])],
            parameters=[*params_files, {**common, **parameters}, *overrides, *([own] if own else [])],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            output="screen",
            # s: time for the learner to save, and for the planner to finish its plan
            sigterm_timeout="20",
            on_exit=None if name == "viewer_node" else ended(full_name, end_of_log),
            condition=condition,
        )
        listener = OnProcessIO(target_action=process, on_stderr=note_end_of_log(full_name, end_of_log))
        return [process, RegisterEventHandler(listener, condition=condition)]

    params_file = value("params_file") or config_path(value("task"))
    params_files = [str(params_file)] if params_file else []
    overrides = [overrides_file(value("overrides"))] if value("overrides") else []
    layers = [ParameterFile.read(Path(file)) for file in (*params_files, *overrides)]
    if value("seed"):
        layers.insert(len(params_files), overrides_layer({"seed": int(value("seed"))}))
    end_of_log: dict[str, str] = {}
    common = {**given("task"), **given("use_sim_time", bool), **given("seed", int), **given("model_path")}
    lockstep = given("lockstep", bool) or ({} if value("use_sim") == "true" else {"lockstep": False})
    weights = given("weights_file")
    fleet, members = namespace_of(value("namespace")), robots(value("robots"))
    use_sim, learn, viewer = (
        IfCondition(LaunchConfiguration(name)) for name in ("use_sim", "learn", "viewer")
    )
    found = []
    for robot in members:
        found += node("simulator_node", use_sim, lockstep, robot)
        found += node("planner_node", None, {**lockstep, **given("autostart", bool), **weights}, robot)
        found += node("viewer_node", viewer, {}, robot)
    shared: dict[str, object] = {}
    if len(members) > 1:
        # each robot has a clock of its own, and the learner needs none
        shared = {"experience_topics": [robot.experience for robot in members], "use_sim_time": False}
    return [*found, *node("learner_node", learn, {**weights, **shared}, Robot("", 0))]


def stay_local(context: LaunchContext) -> list[LogInfo | SetEnvironmentVariable]:
    """Discovery and ports of DDS on this machine alone; a line where the environment's own settings hold."""
    chosen, sentence = local_environment(context.environment)
    variables = [SetEnvironmentVariable(name, value) for name, value in chosen.items()]
    return [*variables, *([LogInfo(msg=sentence)] if sentence else [])]


def overrides_file(text: str) -> str:
    """The path of a ROS 2 parameter file with the overrides, which may be a file or YAML.

    Raises:
      PoloError: the file is missing, no YAML, or no mapping.
    """
    overrides = ParameterFile.parse_overrides(text)
    # left behind, as the files are in which `launch` itself writes parameters
    return str(overrides.write(Path(tempfile.mkdtemp(prefix="polo_ros_")) / "overrides.yaml"))


def note_end_of_log(name: str, end_of_log: dict[str, str]) -> Callable[[ProcessIO], None]:
    """A handler that keeps the sentence with which a node refuses its input."""

    def note(event: ProcessIO) -> None:
        fatal = [line for line in event.text.decode(errors="replace").splitlines() if "[FATAL]" in line]
        if fatal:
            end_of_log[name] = fatal[-1].rpartition("[polo_ros]: ")[2]

    return note


def ended(name: str, end_of_log: dict[str, str]) -> Callable[[ProcessExited, LaunchContext], list[EmitEvent]]:
    """A handler that ends the launch with a node; with an error where the node failed."""

    def end(event: ProcessExited, context: LaunchContext) -> list[EmitEvent]:
        if context.is_shutdown:
            return []
        if event.returncode:
            reason = end_of_log.get(name, f"exit code {event.returncode}")
            # an exception is what makes `ros2 launch` end with a code other than 0
            raise RuntimeError(f"{name} has ended, so everything stops: {reason}")
        return [EmitEvent(event=Shutdown(reason=f"{name} has ended"))]

    return end


def tools(context: LaunchContext) -> list[ExecuteProcess | Node]:
    """The recorder of all robots, and RViz of the first one."""
    several = len(robots(LaunchConfiguration("robots").perform(context))) > 1
    fleet = namespace_of(LaunchConfiguration("namespace").perform(context))
    robot = "(robot[0-9]+/)?" if several else ""
    record = ExecuteProcess(
        cmd=["ros2", "bag", "record", "--regex", f"^({RECORDED_GLOBALLY}|{fleet}/{robot}({RECORDED}))$"],
        output="screen",
        condition=IfCondition(LaunchConfiguration("record")),
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=f"{fleet}/robot1" if several else fleet,
        remappings=[OWN_CLOCK],
        arguments=["-d", PathJoinSubstitution([FindPackageShare("polo_ros"), "config", "polo.rviz"])],
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return [record, rviz]


def generate_launch_description() -> LaunchDescription:
    """Arguments, environment, recorder, RViz and nodes."""
    local = OpaqueFunction(function=stay_local, condition=IfCondition(LaunchConfiguration("localhost")))
    return LaunchDescription(
        [*arguments(), local, OpaqueFunction(function=tools), OpaqueFunction(function=nodes)]
    )
