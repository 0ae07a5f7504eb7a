"""Starts the nodes for a task: simulator, planner, learner, and the viewers.

The package installs a copy of this file for each task, such as humanoid_getup.launch.py. A copy starts the
task that it is named after; polo.launch.py takes the task as an argument. `--show-args` lists the arguments.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from polo_ros.files import config_path

# the task that the file is named after; "polo" is none
NAME = Path(__file__).name.removesuffix(".launch.py")

# Topics that a bag needs to replay a run: those in the robot's namespace, and those outside any namespace.
RECORDED = (
    "clock|joint_states|odom|objects/[^/]+/odom|goal|(effort|position)_controller/commands|hardware/e_stop"
    "|experience|experience/schema|value_function/weights"
    "|planner_node/(plan|candidate_trajectories|reward|value|value_std|plan_time)"
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
    fixed = {} if NAME == "polo" else {"default_value": NAME, "choices": [NAME]}
    return [
        DeclareLaunchArgument("task", description="Name of the task, as `polo tasks` lists it.", **fixed),
        switch("use_sim", "true", "Start the simulator; false where a robot's drivers take its place."),
        switch("use_sim_time", use_sim, "Take time from /clock, or from clock in the namespace."),
        switch(
            "lockstep", use_sim,
            "The simulation waits for each command, so that a seeded run repeats to the bit; false runs in "
            "real time, as a robot does.",
        ),
        argument("namespace", "", "Namespace of all nodes and topics, such as robot1."),
        argument("params_file", "", "ROS 2 parameter file of all nodes; empty for the task's own."),
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


def nodes(context: LaunchContext) -> list[Node]:
    """The package's nodes.

    A function of the context, because an empty argument stands for a default: passed on as it is, "" would
    replace the value of the parameter file.
    """

    def text(name: str) -> ParameterValue:
        return ParameterValue(LaunchConfiguration(name), value_type=str)

    def flag(name: str) -> ParameterValue:
        return ParameterValue(LaunchConfiguration(name), value_type=bool)

    def given(name: str) -> dict[str, ParameterValue]:
        return {name: text(name)} if LaunchConfiguration(name).perform(context) else {}

    def node(name: str, condition: IfCondition | None, **parameters: ParameterValue) -> Node:
        return Node(
            package="polo_ros",
            executable=name,
            name=name,
            namespace=LaunchConfiguration("namespace"),
            remappings=[OWN_CLOCK],
            parameters=[params_file, {**common, **parameters}],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            output="screen",
            # s: time for the learner to finish its update and save, and for the planner to finish its plan
            sigterm_timeout="20",
            condition=condition,
        )

    params_file = LaunchConfiguration("params_file").perform(context)
    params_file = params_file or str(config_path(LaunchConfiguration("task").perform(context)))
    common = {"task": text("task"), "use_sim_time": flag("use_sim_time"), **given("model_path")}
    lockstep, weights_file = flag("lockstep"), given("weights_file")
    return [
        node("simulator_node", IfCondition(LaunchConfiguration("use_sim")), lockstep=lockstep),
        node("planner_node", None, lockstep=lockstep, autostart=flag("autostart"), **weights_file),
        node("learner_node", IfCondition(LaunchConfiguration("learn")), **weights_file),
        node("viewer_node", IfCondition(LaunchConfiguration("viewer"))),
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments, environment, nodes, recorder and RViz."""
    namespace = LaunchConfiguration("namespace")
    localhost = SetEnvironmentVariable(
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
        EnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", default_value="LOCALHOST"),
        condition=IfCondition(LaunchConfiguration("use_sim")),
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=namespace,
        remappings=[OWN_CLOCK],
        arguments=["-d", PathJoinSubstitution([FindPackageShare("polo_ros"), "config", "polo.rviz"])],
        parameters=[{"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    topics = [f"^({RECORDED_GLOBALLY}|/*", namespace, f"/*({RECORDED}))$"]
    record = ExecuteProcess(
        cmd=["ros2", "bag", "record", "--regex", topics],
        output="screen",
        condition=IfCondition(LaunchConfiguration("record")),
    )
    return LaunchDescription([*arguments(), localhost, record, OpaqueFunction(function=nodes), rviz])
