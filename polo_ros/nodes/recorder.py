"""`polo record`: a run into a bag of mcap, where rosbag2 is not installed."""

import argparse
import json
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Twist
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import Bool, Float64, Float64MultiArray, String, UInt8MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from polo_ros.agent.tables import table_lines
from polo_ros.control.joints import EFFORT_TOPIC, POSITION_TOPIC, JointMapping
from polo_ros.control.state import CMD_VEL, GOAL, IMU, JOINTS, odometry_bodies
from polo_ros.errors import PoloError
from polo_ros.nodes.executor import NodeExecutor
from polo_ros.nodes.leave import leave_graph
from polo_ros.nodes.lightweight_node import LightweightNode, initialise
from polo_ros.nodes.qos import EVERY_STATE, LATCHED, SENSOR
from polo_ros.nodes.start import catch_endings
from polo_ros.nodes.telemetry import NUMBERS
from polo_ros.recordings.bag import BagWriter, fleet_weights
from polo_ros.tasks import make_task

STATUS_PERIOD_S = 5.0
# states of drivers that publish best effort, queued
QUEUED = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
Topic = tuple[type[Any], str, QoSProfile]


def topics(joints: JointMapping) -> list[Topic]:
    """Type, name and quality of service of all that a bag needs to learn from, replay and explain a run."""
    planner: list[Topic] = [(Float64, f"planner_node/{name}", EVERY_STATE) for name in NUMBERS]
    return [
        (JointState, JOINTS, QUEUED),
        *((Odometry, topic, QUEUED) for topic in odometry_bodies(joints)),
        (Imu, IMU, QUEUED),
        (PoseStamped, GOAL, LATCHED),
        (Twist, CMD_VEL, EVERY_STATE),
        (Float64MultiArray, EFFORT_TOPIC, EVERY_STATE),
        (Float64MultiArray, POSITION_TOPIC, EVERY_STATE),
        (Bool, "hardware/e_stop", LATCHED),
        (Float64MultiArray, "experience", EVERY_STATE),
        (String, "experience/schema", LATCHED),
        (UInt8MultiArray, "value_function/weights", LATCHED),
        (JointTrajectory, "planner_node/plan", EVERY_STATE),
        (MarkerArray, "planner_node/candidate_trajectories", SENSOR),
        (Float64MultiArray, "planner_node/reward_terms", EVERY_STATE),
        (String, "planner_node/reward_terms/names", LATCHED),
        *planner,
        (DiagnosticArray, "/diagnostics", EVERY_STATE),
        (Clock, "clock", QUEUED),
    ]  # fmt: skip


class Recorder:
    """Writes what is published into a bag, as it comes over the wire.

    Args:
      task: name of the task, which says what state topics there are.
      namespace: of the robot; empty for none.
      out: folder of the bag.

    Attributes:
      written: the number of messages so far, by topic.

    Raises:
      PoloError: the folder exists or cannot be made, or rosbags is not installed.
    """

    def __init__(self, task: str, namespace: str, out: Path) -> None:
        self._bag = BagWriter(out)
        self.written: Counter[str] = Counter()
        self._node = LightweightNode("recorder", namespace=namespace or None)
        wanted = topics(JointMapping(make_task(task).model))
        if namespace:
            wanted.append((UInt8MultiArray, fleet_weights(namespace), LATCHED))
        for kind, name, qos in wanted:
            topic = self._node.resolve_topic_name(name if namespace or name != "clock" else "/clock")
            package, _, message = kind.__module__.partition(".")[0], "", kind.__name__
            write = partial(self._write, topic, f"{package}/msg/{message}")
            self._node.create_subscription(kind, topic, write, qos, raw=True)
        self.executor = NodeExecutor()
        self.executor.add_node(self._node)

    def _write(self, topic: str, kind: str, content: bytes) -> None:
        self._bag.write(topic, kind, time.time_ns(), content)
        self.written[topic] += 1

    def close(self) -> None:
        """Complete the bag and leave the graph."""
        self._bag.close()
        leave_graph(self._node)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    options = argparse.ArgumentParser(prog="polo record", description=__doc__)
    options.add_argument("task", help="name of the task, as in `polo tasks`")
    options.add_argument("--out", type=Path, help="folder of the bag (default: runs/TASK-DATE)")
    options.add_argument("--namespace", default="", help="of the robot, such as /robot1")
    options.add_argument("--seconds", type=float, help="wall time to record (default: until Ctrl-C)")
    options.add_argument("--json", action="store_true", help="print one JSON object at the end, for machines")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Record until interrupted, or for a time."""
    options = parser().parse_args(arguments)
    out = options.out or Path("runs") / f"{options.task}-{time.strftime('%Y%m%d-%H%M%S')}"
    stops = catch_endings()
    try:
        initialise([])
        recorder = Recorder(options.task, options.namespace, out)
    except PoloError as error:
        print(f"polo: {error}", file=sys.stderr)
        return 1
    began, shown = time.monotonic(), 0.0
    said = sys.stderr if options.json else sys.stdout
    print(f"recording {options.task} into {out}; Ctrl-C ends it", file=said, flush=True)
    seconds = 0.0
    while not stops and (options.seconds is None or seconds < options.seconds):
        recorder.executor.spin_once(timeout_sec=0.1)
        seconds = time.monotonic() - began
        if seconds - shown >= STATUS_PERIOD_S:
            shown = seconds
            left = "" if options.seconds is None else f", {options.seconds - seconds:.0f} s left"
            print(f"{seconds:6.0f} s, {recorder.written.total()} messages{left}", file=said, flush=True)
    recorder.close()
    report(options, out, recorder.written, seconds)
    return 0


def report(options: argparse.Namespace, out: Path, written: Counter[str], seconds: float) -> None:
    """Print how much of each topic was recorded in so many s, and where."""
    if options.json:
        numbers = {"messages": written.total(), "topics": dict(sorted(written.items())), "bag": str(out)}
        print(json.dumps({"task": options.task, **numbers}, indent=2))
        return
    rows = [(topic, str(count), f"{count / seconds:.1f}") for topic, count in sorted(written.items())]
    for line in table_lines(rows, ("topic", "messages", "per second")):
        print(line)
    print(f"{written.total()} messages in {out}")


if __name__ == "__main__":
    sys.exit(main())
