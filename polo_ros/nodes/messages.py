"""Packing and unpacking of every message: the one place that knows orders, frames and units."""

import array
import json
from collections.abc import Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState
from std_msgs.msg import ColorRGBA, Float64MultiArray, MultiArrayDimension, UInt8MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.arrays import Array
from polo_ros.control.joints import FreeBody, JointMapping, check_names
from polo_ros.errors import PoloError
from polo_ros.planner import Plan
from polo_ros.tasks.rotations import rotation_matrix
from polo_ros.tasks.task import Task

NANOSECONDS = 1_000_000_000
STAMP_LABEL = "answers_stamp_ns="
SCHEMA_VERSION = 1


def to_stamp(nanoseconds: int) -> Time:
    """Nanoseconds as a message's stamp."""
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def from_stamp(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def pack_joint_state(robot: JointMapping, qpos: Array, qvel: Array, stamp: int) -> JointState:
    """Positions and velocities of hinges and slides, by name."""
    message = JointState()
    message.header.stamp = to_stamp(stamp)
    message.name = robot.joint_names
    message.position = array.array("d", qpos[robot.qpos].tobytes())
    message.velocity = array.array("d", qvel[robot.qvel].tobytes())
    return message


def unpack_joint_state(robot: JointMapping, message: JointState) -> tuple[Array, Array]:
    """Positions and velocities in the order of `robot.joint_names`.

    Raises:
      PoloError: a doubled, unknown or missing joint, a wrong size, or a value that is not finite.
    """
    names = list(message.name)
    if names != robot.joint_names:
        check_names(names, robot.joint_names, "joint_states")
    columns = []
    for what, values in (("position", message.position), ("velocity", message.velocity)):
        if len(values) != len(names):
            raise PoloError(f"joint_states has {len(values)} of {what} for {len(names)} joints")
        column = np.asarray(values)
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise PoloError(f"joint_states: {what} of {names[bad[0]]} is {column[bad[0]]}")
        columns.append(column)
    order = [names.index(name) for name in robot.joint_names]
    return columns[0][order], columns[1][order]


def pack_odometry(body: FreeBody, qpos: Array, qvel: Array, stamp: int, frame: str) -> Odometry:
    """Pose of a free body, with its twist in the child frame as REP-105 wants it.

    MuJoCo keeps a free joint's linear velocity in the world frame and its angular velocity in the body's.
    """
    message = Odometry()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = "odom"
    message.child_frame_id = frame
    position, quaternion = qpos[body.qpos : body.qpos + 3], qpos[body.qpos + 3 : body.qpos + 7]
    pose, twist = message.pose.pose, message.twist.twist
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    w, x, y, z = map(float, quaternion)
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    linear = rotation_matrix(quaternion).T @ qvel[body.qvel : body.qvel + 3]
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, linear)
    angular = qvel[body.qvel + 3 : body.qvel + 6]
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, angular)
    return message


def unpack_odometry(message: Odometry, what: str, twist_frame: str) -> tuple[Array, Array]:
    """MuJoCo's (7,) position and quaternion and (6,) velocity of a free joint.

    Args:
      message: what arrived.
      what: the topic, for errors.
      twist_frame: "child" or "world", the frame of the message's twist.

    Raises:
      PoloError: a value that is not finite, or a quaternion that is not of unit length.
    """
    pose, twist = message.pose.pose, message.twist.twist
    position, rotation = pose.position, pose.orientation
    quaternion = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    linear = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
    angular = np.array([twist.angular.x, twist.angular.y, twist.angular.z])
    qpos = np.concatenate([[position.x, position.y, position.z], quaternion])
    if not (np.isfinite(qpos).all() and np.isfinite(linear).all() and np.isfinite(angular).all()):
        raise PoloError(f"{what} holds a value that is not finite")
    if abs(np.linalg.norm(quaternion) - 1.0) > 1e-3:
        raise PoloError(f"{what}: the orientation {quaternion} (wxyz) is not a unit quaternion")
    matrix = rotation_matrix(quaternion)
    if twist_frame == "child":
        linear = matrix @ linear
    else:
        angular = matrix.T @ angular
    return qpos, np.concatenate([linear, angular])


def pack_goal(position: Array, quaternion: Array, stamp: int) -> PoseStamped:
    """A mocap body's pose, quaternion wxyz."""
    message = PoseStamped()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = "odom"
    pose = message.pose
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    w, x, y, z = map(float, quaternion)
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return message


def unpack_goal(message: PoseStamped) -> tuple[Array, Array, int]:
    """Position (3,), quaternion (4,) wxyz and stamp in ns of a goal.

    Raises:
      PoloError: a value that is not finite, or a quaternion that is not of unit length.
    """
    odometry = Odometry()
    odometry.pose.pose = message.pose
    qpos, _ = unpack_odometry(odometry, "goal", "child")
    return qpos[:3], qpos[3:], from_stamp(message.header.stamp)


def pack_command(values: Array, answered: int) -> Float64MultiArray:
    """A command, labelled with the stamp of the state it answers so that lockstep never mixes them up."""
    message = Float64MultiArray()
    size = len(values)
    label = f"{STAMP_LABEL}{answered}"
    message.layout.dim = [MultiArrayDimension(label=label, size=size, stride=size)]
    message.data = array.array("d", np.ascontiguousarray(values).tobytes())
    return message


def unpack_command(message: Float64MultiArray) -> tuple[Array, int | None]:
    """The command's values and the stamp of the state it answers, None where it does not say.

    Raises:
      PoloError: the stamp is no number.
    """
    answered = None
    for dimension in message.layout.dim:
        if dimension.label.startswith(STAMP_LABEL):
            stamp = dimension.label.removeprefix(STAMP_LABEL)
            if not stamp.isdecimal():
                raise PoloError(f"the command's label {dimension.label!r} must end in a stamp in ns")
            answered = int(stamp)
    return np.array(message.data), answered


def experience_fields(task: Task) -> list[tuple[str, int, str]]:
    """Name, size and unit of each field of a transition."""
    model = task.model
    fields = [
        ("time", 1, "s"),
        ("episode", 1, "1"),
        ("qpos", model.nq, "m, rad, quaternion wxyz"),
        ("qvel", model.nv, "m/s, rad/s"),
        ("act", model.na, "actuator's"),
        ("mocap_pos", 3 * model.nmocap, "m"),
        ("mocap_quat", 4 * model.nmocap, "quaternion wxyz"),
        ("ctrl", model.nu, "control range"),
        ("reward", 1, "1"),
    ]
    return [field for field in fields if field[1]]


def experience_schema(task: Task, joints: Sequence[str]) -> str:
    """What a reader of `experience` needs to know, as JSON."""
    fields = [{"name": name, "size": size, "unit": unit} for name, size, unit in experience_fields(task)]
    return json.dumps(
        {
            "version": SCHEMA_VERSION,
            "task": task.name,
            "model_hash": task.model_hash(),
            "dt": task.timestep,
            "joints": list(joints),
            "fields": fields,
        }
    )


def check_schema(content: str, task: Task) -> None:
    """Compare a received schema with a task's own.

    Raises:
      PoloError: it is no schema, or of another version, task, model or layout.
    """
    try:
        schema = json.loads(content)
        given = [(field["name"], field["size"], field["unit"]) for field in schema["fields"]]
        found = {key: schema[key] for key in ("version", "task", "model_hash")}
    except (ValueError, KeyError, TypeError) as error:
        raise PoloError(f"experience/schema is not a schema ({error!r})") from None
    own = {"version": SCHEMA_VERSION, "task": task.name, "model_hash": task.model_hash()}
    for key, value in own.items():
        if found[key] != value:
            raise PoloError(
                f"experience is of {key} {found[key]}, not {value}; start planner and learner with the "
                f"same task, model and torque_scale"
            )
    if given != experience_fields(task):
        raise PoloError("experience has other fields than this version's; update both nodes")


def pack_experience(time: float, episode: int, state: Array, ctrl: Array, reward: float) -> Float64MultiArray:
    """One transition."""
    row = np.concatenate([[time, episode], state, ctrl, [reward]])
    message = Float64MultiArray()
    message.layout.dim = [
        MultiArrayDimension(label="transition", size=1, stride=row.size),
        MultiArrayDimension(label="field", size=row.size, stride=row.size),
    ]
    message.data = array.array("d", row.tobytes())
    return message


def unpack_experience(message: Float64MultiArray, task: Task) -> dict[str, Array]:
    """Transitions as columns: time (n,), episode (n,), state (n, state_size), ctrl (n, nu), reward (n,).

    Raises:
      PoloError: the message's length is no multiple of a transition's, or a value is not finite.
    """
    width = sum(size for _, size, _ in experience_fields(task))
    values = np.array(message.data)
    if values.size == 0 or values.size % width:
        raise PoloError(f"experience has {values.size} values, not a multiple of {width}")
    if not np.isfinite(values).all():
        raise PoloError("experience holds values that are not finite")
    rows = values.reshape(-1, width)
    state_end = 2 + task.state_size
    return {
        "time": rows[:, 0],
        "episode": rows[:, 1],
        "state": rows[:, 2:state_end],
        "ctrl": rows[:, state_end:-1],
        "reward": rows[:, -1],
    }


def pack_bytes(content: bytes) -> UInt8MultiArray:
    """Bytes, such as weights."""
    message = UInt8MultiArray()
    message.layout.dim = [MultiArrayDimension(label="bytes", size=len(content), stride=len(content))]
    message.data = array.array("B", content)
    return message


def unpack_bytes(message: UInt8MultiArray) -> bytes:
    """The inverse of `pack_bytes`."""
    return bytes(message.data)


def pack_plan(robot: JointMapping, plan: Plan, ctrl: Array) -> JointTrajectory:
    """A plan's knots as commands in absolute time.

    Args:
      robot: gives names and units.
      plan: the curve.
      ctrl: (knots, nu), its values within the control ranges.
    """
    message = JointTrajectory()
    message.header.stamp = to_stamp(round(plan.start * NANOSECONDS))
    # the standard message cannot say how the curve runs between points, so the frame does
    message.header.frame_id = f"interpolation:{plan.interpolation}"
    message.joint_names = robot.command_joints
    for index, row in enumerate(ctrl):
        point = JointTrajectoryPoint()
        after = round(index * plan.spacing * NANOSECONDS)
        point.time_from_start = Duration(sec=after // NANOSECONDS, nanosec=after % NANOSECONDS)
        values = array.array("d", robot.command(row).tobytes())
        if robot.position_controlled:
            point.positions = values
        else:
            point.effort = values
        message.points.append(point)
    return message


def pack_traces(positions: Array, returns: Array, stamp: int, most: int = 20) -> MarkerArray:
    """The best rollouts as lines from blue (worst shown) to red, the best one last and thick.

    Args:
      positions: (K, H + 1, 3) in m, best first.
      returns: (K,), best first.
      stamp: in ns.
      most: lines at most.
    """
    shown = min(len(returns), most)
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
        line.points = [Point(x=x, y=y, z=z) for x, y, z in positions[rank].tolist()]
        markers.append(line)
    return MarkerArray(markers=markers)


def best_trace(message: MarkerArray) -> Array:
    """The best rollout's positions in a `pack_traces` message, (n, 3)."""
    for marker in message.markers:
        if marker.ns == "best":
            return np.array([[point.x, point.y, point.z] for point in marker.points])
    return np.empty((0, 3))


def pack_diagnostics(
    name: str, level: int, text: str, values: Mapping[str, object], stamp: int
) -> DiagnosticArray:
    """One status of one node; `level` is 0 fine, 1 warning, 2 error, 3 stale."""
    status = DiagnosticStatus()
    status.name, status.message, status.hardware_id = name, text, "polo_ros"
    status.level = bytes([level])
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    message = DiagnosticArray(status=[status])
    message.header.stamp = to_stamp(stamp)
    return message
