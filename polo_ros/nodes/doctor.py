"""`polo doctor`: measures the topics of a running robot and says what is wrong."""

import argparse
import json
import math
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from polo_ros.control import NANOSECONDS
from polo_ros.control.checkup import Checkup, PlannerFigures, TopicFigures, describe, findings
from polo_ros.control.imu import ImuMounting
from polo_ros.control.joints import TRAJECTORY_TOPIC, JointMapping
from polo_ros.control.state import CMD_VEL, GOAL, IMU, JOINTS, StateAssembler
from polo_ros.errors import PoloError
from polo_ros.nodes.arrivals import Arrivals
from polo_ros.nodes.executor import spin_for
from polo_ros.nodes.lightweight_node import LightweightNode, initialise
from polo_ros.nodes.messages import unpack_imu, unpack_joint_state, unpack_odometry
from polo_ros.nodes.messages.commands import STAMP_LABEL
from polo_ros.progress import PATIENCE, progress_bar
from polo_ros.tasks import make_task

PARAMETERS = (
    "task", "model_path", "torque_scale", "lockstep", "use_imu", "imu_frame", "joints", "odom_twist_frame",
    "command_message", "cmd_vel_stamped", "safety.state_timeout", "use_sim_time",
)  # fmt: skip
# how long something to examine is looked for, in s
DISCOVERY_S = 10.0
# and then the rest of the graph: Fast DDS repeats an announcement that was lost after 3 s
SETTLE_S = 3.5
ANSWER_S = 5.0
EVERYTHING = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(prog="polo doctor", description=__doc__)
    options.add_argument("--seconds", type=float, default=5.0, help="how long to listen (default: 5)")
    options.add_argument("--namespace", default="", help="of the robot, as in /robot1")
    options.add_argument("--task", default="", help="where no planner runs yet: what a state needs")
    options.add_argument("--json", action="store_true", help="print everything as JSON")
    return options


def main() -> int:
    """Measure and print; 0 where nothing is wrong, 1 where something is."""
    options = parser().parse_args()
    try:
        initialise([])
        doctor = Doctor(options.namespace)
        checkup = doctor.examine(options.task, options.seconds)
    except PoloError as error:
        print(f"polo doctor: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polo doctor: interrupted", file=sys.stderr)
        return 130
    finally:
        rclpy.try_shutdown()
    wrong = findings(checkup)
    if options.json:
        print(json.dumps({**asdict(checkup), "findings": wrong}, indent=2))
    else:
        print(describe(checkup))
        print("\n".join(f"✗ {sentence}" for sentence in wrong) or "✓ nothing is wrong")
    return 1 if wrong else 0


class Doctor:
    """A node that listens to everything between robot and planner.

    Args:
      namespace: of the robot.
    """

    def __init__(self, namespace: str) -> None:
        self._node: Node = LightweightNode("doctor", namespace=namespace or None)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._planner_name = f"{self._node.get_namespace().rstrip('/')}/planner_node"
        self._status: Any = None
        self._answered: dict[int, float] = {}

    def examine(self, task_name: str, seconds: float) -> Checkup:
        """Listen for some seconds.

        Raises:
          PoloError: there is neither a planner nor a task, or it cannot be made.
        """
        given = self._planner_parameters(bool(task_name))
        name = task_name or given.get("task", "")
        if not name:
            raise PoloError(
                f"no node {self._planner_name} answers; start the planner, or give --namespace or --task"
            )
        task = make_task(name, given.get("model_path", ""), given.get("torque_scale", 1.0))
        joints = JointMapping(task.model, tuple(filter(None, given.get("joints", ()))))
        if given.get("use_sim_time"):
            self._node.set_parameters([Parameter("use_sim_time", value=True)])
        states = self._states(StateAssembler(task, joints, lockstep=False), joints, given)
        commands = self._commands(joints, given)
        for arrivals in (*states, commands):
            callback = partial(self._on_message, arrivals, states)
            self._node.create_subscription(arrivals.kind, arrivals.figures.topic, callback, EVERYTHING)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._listen(seconds)
        for arrivals in (*states, commands):
            arrivals.finish()
            self._look_at_graph(arrivals.figures)
        others = [self._look_at_graph(TopicFigures(*each)) for each in self._other_topics(given)]
        planner = None
        if given:
            planner = PlannerFigures(
                task.name, given["lockstep"], 1.0 / task.timestep, given["safety.state_timeout"]
            )
            self._fill_in(planner, states[0], commands)
        return Checkup(seconds, [each.figures for each in states], commands.figures, others, planner)

    def _listen(self, seconds: float) -> None:
        """Handle messages for a time, and show how much of it is left."""
        with progress_bar(math.ceil(seconds), "listen", "s", patience=PATIENCE) as bar:
            left = seconds
            while left > 0.0:
                part = min(left, 1.0)
                spin_for(self._executor, part)
                left -= part
                bar.update(part)

    def _planner_parameters(self, driver_alone: bool) -> dict[str, Any]:
        """The planner's parameters that matter here; none where no planner answers.

        Waits until the planner is discovered or, where that may do, a driver.
        """
        client = AsyncParameterClient(self._node, self._planner_name)

        def discovered() -> bool:
            return client.services_are_ready() or (driver_alone and self._node.count_publishers(JOINTS) > 0)

        spin_for(self._executor, DISCOVERY_S, discovered)
        spin_for(self._executor, SETTLE_S)
        if not client.services_are_ready():
            return {}
        asked = client.get_parameters(list(PARAMETERS))
        spin_for(self._executor, ANSWER_S, asked.done)
        answer = asked.result() if asked.done() else None
        if answer is None:
            raise PoloError(f"{self._planner_name} does not answer within {ANSWER_S:g} s; see its log")
        values = [parameter_value_to_python(value) for value in answer.values]
        return dict(zip(PARAMETERS, values, strict=True))

    # ---- topics

    def _states(self, states: StateAssembler, joints: JointMapping, given: dict[str, Any]) -> list[Arrivals]:
        """The topics that a state needs, joint_states first."""
        found = [
            Arrivals(
                JointState,
                TopicFigures(JOINTS, "sensor_msgs/msg/JointState"),
                partial(unpack_joint_state, joints),
            )
        ]
        frame = given.get("odom_twist_frame", "child")
        for topic in states.odometry_topics():
            figures = TopicFigures(topic, "nav_msgs/msg/Odometry")
            check = partial(unpack_odometry, what=topic, twist_frame=frame)
            found.append(Arrivals(Odometry, figures, check))
        if given.get("use_imu") and joints.base is not None:
            mounting = ImuMounting(joints.model, joints.base, given.get("imu_frame", ""))
            figures = TopicFigures(IMU, "sensor_msgs/msg/Imu")
            found.append(
                Arrivals(Imu, figures, lambda imu: mounting.to_base(*unpack_imu(imu), imu.header.frame_id))
            )
        return found

    def _commands(self, joints: JointMapping, given: dict[str, Any]) -> Arrivals:
        if given.get("command_message") == "trajectory":
            figures = TopicFigures(TRAJECTORY_TOPIC, "trajectory_msgs/msg/JointTrajectory")
            return Arrivals(JointTrajectory, figures, lambda _: None)
        figures = TopicFigures(joints.command_topic, "std_msgs/msg/Float64MultiArray")
        return Arrivals(Float64MultiArray, figures, lambda _: None)

    def _other_topics(self, given: dict[str, Any]) -> list[tuple[str, str]]:
        twist = "TwistStamped" if given.get("cmd_vel_stamped") else "Twist"
        return [
            ("hardware/e_stop", "std_msgs/msg/Bool"),
            (GOAL, "geometry_msgs/msg/PoseStamped"),
            (CMD_VEL, f"geometry_msgs/msg/{twist}"),
        ]

    def _on_message(self, arrivals: Arrivals, states: list[Arrivals], message: Any) -> None:
        arrivals.add(message, self._node.get_clock().now().nanoseconds)
        joints = states[0]
        if arrivals in states:
            if arrivals is not joints and joints.stamps:
                arrivals.behind.append((joints.stamps[-1] - arrivals.stamps[-1]) / NANOSECONDS)
            return
        labels = [each.label for each in message.layout.dim] if hasattr(message, "layout") else []
        labels += [message.header.frame_id] if hasattr(message, "header") else []
        for label in labels:
            stamp = label.removeprefix(STAMP_LABEL)
            if stamp.isdecimal():
                self._answered.setdefault(int(stamp), time.monotonic())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._planner_name.lstrip("/"):
                self._status = status

    def _fill_in(self, planner: PlannerFigures, joints: Arrivals, commands: Arrivals) -> None:
        """What the planner says of itself, and how long its commands take."""
        if self._status is not None:
            values = {pair.key: pair.value for pair in self._status.values}
            planner.status, planner.level = self._status.message, self._status.level[0]
            planner.plan_rate = float(values["plan_rate"]) if "plan_rate" in values else None
        came = dict(zip(joints.stamps, joints.came, strict=True))
        trips = [answered - came[stamp] for stamp, answered in self._answered.items() if stamp in came]
        if trips:
            planner.round_trip = float(np.median(trips))
            planner.slowest_round_trip = float(np.quantile(trips, 0.95))

    def _look_at_graph(self, figures: TopicFigures) -> TopicFigures:
        """Who publishes and takes a topic, and whether their qualities of service fit."""
        own = self._node.get_name()
        publishers = self._node.get_publishers_info_by_topic(figures.topic)
        takers = self._node.get_subscriptions_info_by_topic(figures.topic)
        takers = [each for each in takers if each.node_name != own]
        for each in publishers + takers:
            if each.topic_type != figures.type and each.topic_type not in figures.other_types:
                figures.other_types.append(each.topic_type)
        publishers = [each for each in publishers if each.topic_type == figures.type]
        takers = [each for each in takers if each.topic_type == figures.type]
        figures.publishers = sorted(_full_name(each) for each in publishers)
        figures.subscribers = sorted({_full_name(each) for each in takers})
        for publisher in publishers:
            for taker in {_full_name(each) for each in takers}:
                reasons = []
                for each in takers:
                    if _full_name(each) == taker:
                        reasons.append(qos_check_compatible(publisher.qos_profile, each.qos_profile))
                if all(reason[0] == QoSCompatibility.ERROR for reason in reasons):
                    figures.mismatches.append(
                        f"{figures.topic}: {taker} hears nothing of {_full_name(publisher)}: their qualities "
                        f"of service do not fit ({reasons[0][1].strip().rstrip(';')})"
                    )
        return figures


def _full_name(endpoint: Any) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"


if __name__ == "__main__":
    sys.exit(main())
