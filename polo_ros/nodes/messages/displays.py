"""Messages for displays: plans, rollouts, diagnostics."""

import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Float64MultiArray, MultiArrayDimension
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_message import read_plan
from polo_ros.control.status import Status
from polo_ros.errors import PoloError
from polo_ros.nodes.messages.limits import MOST_JOINTS, MOST_MARKERS, MOST_POINTS, check_size
from polo_ros.nodes.messages.stamps import to_stamp
from polo_ros.planner import Plan


def pack_plan(joints: JointMapping, plan: Plan, ctrl: Array) -> JointTrajectory:
    """A plan's knots as commands in absolute time.

    Args:
      joints: gives names and units.
      plan: the curve.
      ctrl: (knots, nu), its values within the control ranges.
    """
    message = JointTrajectory()
    message.header.stamp = to_stamp(round(plan.start * NANOSECONDS))
    # the standard message cannot say how the curve runs between points, so the frame does
    message.header.frame_id = f"interpolation:{plan.interpolation}"
    message.joint_names = joints.command_joints
    for index, row in enumerate(ctrl):
        point = JointTrajectoryPoint()
        after = round(index * plan.spacing * NANOSECONDS)
        point.time_from_start = Duration(sec=after // NANOSECONDS, nanosec=after % NANOSECONDS)
        values = array.array("d", joints.command(row).tobytes())
        if joints.position_controlled:
            point.positions = values
        else:
            point.effort = values
        message.points.append(point)
    return message


# points of a line at most: each is an object for the sender and for a receiver in Python
LINE_POINTS = 25


def pack_traces(positions: Array, returns: Array, stamp: int, most: int = 20) -> MarkerArray:
    """The best rollouts as lines from blue (worst shown) to red, the best one last and thick.

    A line of a long horizon is thinned to `LINE_POINTS` of its points, the first and the last among them.

    Args:
      positions: (K, H + 1, 3) in m, best first.
      returns: (K,), best first.
      stamp: in ns.
      most: lines at most.
    """
    shown = min(len(returns), most)
    count = positions.shape[1]
    kept = np.linspace(0, count - 1, min(count, LINE_POINTS)).round().astype(int)
    spread = max(float(returns[0] - returns[shown - 1]), 1e-12) if shown else 1.0
    markers = []
    for rank in reversed(range(shown)):
        line = Marker()
        line.header.frame_id = "odom"
        line.header.stamp = to_stamp(stamp)
        line.ns = "best" if rank == 0 else "candidates"
        line.id = rank
        line.type, line.action = Marker.LINE_STRIP, Marker.ADD
        line.scale.x = 0.02 if rank == 0 else 0.005
        good = float((returns[rank] - returns[shown - 1]) / spread)
        line.color = ColorRGBA(r=good, g=0.3, b=1.0 - good, a=1.0 if rank == 0 else 0.5)
        line.pose.orientation.w = 1.0
        line.points = [Point(x=x, y=y, z=z) for x, y, z in positions[rank, kept].tolist()]
        markers.append(line)
    return MarkerArray(markers=markers)


@dataclass(frozen=True)
class Traces:
    """Rollouts as lines.

    Attributes:
      paths: of all but the best one, worst first, each (n, 3) in m.
      colours: of these paths, (paths, 3), red, green and blue from 0 to 255.
      best: path of the best rollout, (n, 3); empty where there is none.
    """

    paths: list[Array]
    colours: Array
    best: Array


def unpack_traces(message: MarkerArray) -> Traces:
    """The inverse of `pack_traces`.

    Raises:
      PoloError: there are more than `MOST_MARKERS` or `MOST_POINTS`, or a position is not finite.
    """
    check_size(len(message.markers), MOST_MARKERS, "candidate trajectories, markers")
    paths, colours, best = [], [], np.empty((0, 3))
    for marker in message.markers:
        check_size(len(marker.points), MOST_POINTS, "candidate trajectories, points")
        path = np.array([(point.x, point.y, point.z) for point in marker.points]).reshape(-1, 3)
        if not np.isfinite(path).all():
            raise PoloError("candidate trajectories hold a position that is not finite")
        if marker.ns == "best":
            best = path
        elif marker.ns == "candidates":
            paths.append(path)
            colours.append((marker.color.r, marker.color.g, marker.color.b))
    shades = 255.0 * np.nan_to_num(np.array(colours).reshape(-1, 3)).clip(0.0, 1.0)
    return Traces(paths, shades, best)


def unpack_plan(joints: JointMapping, message: JointTrajectory) -> Plan:
    """The inverse of `pack_plan`.

    Raises:
      PoloError: it has more than `MOST_POINTS` points, or is no plan of the robot; see `read_plan`.
    """
    check_size(len(message.points), MOST_POINTS, "plan, points")
    check_size(len(message.joint_names), MOST_JOINTS, "plan, joints")
    return read_plan(joints, message)


def pack_numbers(numbers: Mapping[str, float]) -> Float64MultiArray:
    """Named numbers, such as the weighted terms of a reward."""
    message, count = Float64MultiArray(), len(numbers)
    message.layout.dim = [MultiArrayDimension(label=",".join(numbers), size=count, stride=count)]
    message.data = array.array("d", numbers.values())
    return message


def unpack_numbers(message: Float64MultiArray, what: str) -> dict[str, float]:
    """The inverse of `pack_numbers`; empty where names and values do not fit.

    Raises:
      PoloError: there are more than `MOST_JOINTS`; `what` names the message.
    """
    check_size(len(message.data), MOST_JOINTS, f"{what}, values")
    label = message.layout.dim[0].label if message.layout.dim else ""
    names = label.split(",") if label else []
    return dict(zip(names, message.data, strict=True)) if len(names) == len(message.data) else {}


def pack_diagnostics(name: str, status: Status, stamp: int) -> DiagnosticArray:
    """The status of one node at a time in ns."""
    entry = DiagnosticStatus()
    entry.name, entry.message, entry.hardware_id = name, status.text, "polo_ros"
    entry.level = bytes([status.level])
    entry.values = [KeyValue(key=key, value=str(value)) for key, value in status.values.items()]
    message = DiagnosticArray(status=[entry])
    message.header.stamp = to_stamp(stamp)
    return message
