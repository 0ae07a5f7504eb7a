"""The robot's state: joint_states, odometry and goals."""

import array

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState

from polo_ros.arrays import Array
from polo_ros.control.imu import is_base_frame
from polo_ros.control.joints import FreeBody, JointMapping, check_names
from polo_ros.control.velocity_goal import VelocityCommand
from polo_ros.errors import PoloError
from polo_ros.nodes.messages.limits import MOST_JOINTS, check_size
from polo_ros.nodes.messages.odometry_bytes import PLAIN_CDR, read_odometry
from polo_ros.nodes.messages.stamps import from_stamp, to_stamp
from polo_ros.tasks.rotations import rotation_matrix
from polo_ros.tasks.state import LARGEST_VALUE

# what a goal's frame may be called: the odometry's, whose origin is the model's
WORLD_FRAMES = ("", "odom", "world")


def pack_joint_state(joints: JointMapping, qpos: Array, qvel: Array, stamp: int) -> JointState:
    """Positions and velocities of hinges and slides, by name."""
    message = JointState()
    message.header.stamp = to_stamp(stamp)
    message.name = joints.joint_names
    message.position = array.array("d", qpos[joints.qpos].tobytes())
    message.velocity = array.array("d", qvel[joints.qvel].tobytes())
    return message


def unpack_joint_state(joints: JointMapping, message: JointState) -> tuple[Array, Array]:
    """Positions and velocities in the order of `joints.joint_names`; further joints are ignored.

    A velocity that the message leaves out is NaN: joint_state_broadcaster publishes NaN for a joint without
    that interface, others leave the whole list empty.

    Raises:
      PoloError: a doubled or missing joint, a wrong size, more than `MOST_JOINTS` joints, or a position or
        velocity that is not finite or beyond `LARGEST_VALUE`.
    """
    check_size(len(message.name), MOST_JOINTS, "joint_states, names")
    names = list(message.name)
    in_order = names == joints.joint_names
    if not in_order:
        known = set(joints.joint_names)
        try:
            check_names([name for name in names if name in known], joints.joint_names, "joint_states")
        except PoloError as error:
            further = sorted(set(names) - known)
            raise PoloError(f"{error}; it also has {', '.join(further)}" if further else str(error)) from None
        order = [names.index(name) for name in joints.joint_names]
    columns = []
    for what, values in (("position", message.position), ("velocity", message.velocity)):
        if what == "velocity" and not len(values):
            columns.append(np.full(len(joints.joint_names), np.nan))
            continue
        if len(values) != len(names):
            raise PoloError(f"joint_states has {len(values)} of {what} for {len(names)} joints")
        column = np.asarray(values) if in_order else np.asarray(values)[order]
        sizes = np.abs(column)
        bad = np.flatnonzero(sizes > LARGEST_VALUE if what == "velocity" else ~(sizes <= LARGEST_VALUE))
        if bad.size:
            raise PoloError(
                f"joint_states: {what} of {joints.joint_names[bad[0]]} is {column[bad[0]]}, "
                f"not within ±{LARGEST_VALUE:g}"
            )
        columns.append(column)
    return columns[0], columns[1]


def further_joints(joints: JointMapping, message: JointState) -> list[str]:
    """The joints in a message that the robot's model does not have, such as a gripper's."""
    if message.name == joints.joint_names:
        return []
    known = set(joints.joint_names)
    return sorted(name for name in message.name if name not in known)


def pack_odometry(body: FreeBody, qpos: Array, qvel: Array, stamp: int, frame: str) -> Odometry:
    """Pose of a free body, with its twist in the child frame as REP-105 wants it.

    MuJoCo keeps a free joint's linear velocity in the world frame and its angular velocity in the body's.

    Args:
      body: which one.
      qpos, qvel: of the whole model, (nq,) and (nv,).
      stamp: in ns.
      frame: name of the child frame.
    """
    message = Odometry()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = "odom"
    message.child_frame_id = frame
    position, quaternion = qpos[body.qpos : body.qpos + 3], qpos[body.qpos + 3 : body.qpos + 7]
    _pack_pose(message.pose.pose, position, quaternion)
    twist = message.twist.twist
    linear = rotation_matrix(quaternion).T @ qvel[body.qvel : body.qvel + 3]
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, linear)
    angular = qvel[body.qvel + 3 : body.qvel + 6]
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, angular)
    return message


def pack_transform(body: FreeBody, qpos: Array, stamp: int) -> TransformStamped:
    """The pose of a free body in odom, at a stamp in ns; qpos (nq,) is of the whole model."""
    message = TransformStamped()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = "odom"
    message.child_frame_id = body.name
    x, y, z, qw, qx, qy, qz = map(float, qpos[body.qpos : body.qpos + 7])
    place, turn = message.transform.translation, message.transform.rotation
    place.x, place.y, place.z = x, y, z
    turn.x, turn.y, turn.z, turn.w = qx, qy, qz, qw
    return message


def unpack_odometry(message: Odometry | bytes, what: str, twist_frame: str) -> tuple[Array, Array, int]:
    """MuJoCo's (7,) position and quaternion and (6,) velocity of a free joint, and the stamp in ns.

    Args:
      message: what arrived, or its serialised form, which is read without making a message.
      what: the topic, for errors.
      twist_frame: "child" or "world", the frame of the message's twist.

    Raises:
      PoloError: a value that is not finite, or a quaternion that is not of unit length.
    """
    if isinstance(message, bytes) and not message.startswith(PLAIN_CDR):
        message = deserialize_message(message, Odometry)
    if isinstance(message, bytes):
        qpos, linear, angular, stamp = read_odometry(message, what)
    else:
        qpos, stamp = _unpack_pose(message.pose.pose), from_stamp(message.header.stamp)
        twist = message.twist.twist
        linear = np.array([twist.linear.x, twist.linear.y, twist.linear.z])
        angular = np.array([twist.angular.x, twist.angular.y, twist.angular.z])
    _check_range(what, qpos, linear, angular)
    _check_unit(what, qpos[3:])
    matrix = rotation_matrix(qpos[3:])
    if twist_frame == "child":
        linear = matrix @ linear
    else:
        angular = matrix.T @ angular
    return qpos, np.concatenate([linear, angular]), stamp


def unpack_imu(message: Imu) -> tuple[Array, Array]:
    """Orientation (4,) wxyz and angular velocity (3,) in rad/s, in the sensor's frame.

    Raises:
      PoloError: either is left out (a covariance that begins with -1 says so), a value is not finite, or the
        quaternion is not of unit length.
    """
    for what, covariance in (
        ("orientation", message.orientation_covariance),
        ("angular velocity", message.angular_velocity_covariance),
    ):
        if covariance[0] == -1.0:
            raise PoloError(
                f"imu has no {what} (its covariance begins with -1); use a driver that estimates it, or set "
                f"use_imu: false"
            )
    rotation, velocity = message.orientation, message.angular_velocity
    quaternion = np.array([rotation.w, rotation.x, rotation.y, rotation.z])
    angular = np.array([velocity.x, velocity.y, velocity.z])
    _check_range("imu", quaternion, angular)
    _check_unit("imu", quaternion)
    return quaternion, angular


def pack_imu(quaternion: Array, velocity: Array, stamp: int, frame: str) -> Imu:
    """Orientation (4,) wxyz and angular velocity (3,) in rad/s, no acceleration; the stamp is in ns."""
    message = Imu()
    message.header.stamp, message.header.frame_id = to_stamp(stamp), frame
    rotation = message.orientation
    rotation.w, rotation.x, rotation.y, rotation.z = map(float, quaternion)
    angular = message.angular_velocity
    angular.x, angular.y, angular.z = map(float, velocity)
    message.linear_acceleration_covariance[0] = -1.0
    return message


def _unpack_pose(pose: Pose) -> Array:
    """Position and quaternion wxyz, (7,)."""
    position, rotation = pose.position, pose.orientation
    return np.array([position.x, position.y, position.z, rotation.w, rotation.x, rotation.y, rotation.z])


def _check_range(what: str, *arrays: Array) -> None:
    for values in arrays:
        sizes = np.abs(values)
        if not (sizes <= LARGEST_VALUE).all():
            finite = np.isfinite(sizes).all()
            raise PoloError(
                f"{what} holds a value that is {f'beyond ±{LARGEST_VALUE:g}' if finite else 'not finite'}"
            )


def _check_unit(what: str, quaternion: Array) -> None:
    if abs(np.linalg.norm(quaternion) - 1.0) > 1e-3:
        raise PoloError(f"{what}: the orientation {quaternion} (wxyz) is not a unit quaternion")


def pack_goal(position: Array, quaternion: Array, stamp: int) -> PoseStamped:
    """A mocap body's pose, quaternion wxyz."""
    message = PoseStamped()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = "odom"
    _pack_pose(message.pose, position, quaternion)
    return message


def _pack_pose(pose: Pose, position: Array, quaternion: Array) -> None:
    pose.position.x, pose.position.y, pose.position.z = map(float, position)
    w, x, y, z = map(float, quaternion)
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w


def unpack_goal(message: PoseStamped) -> tuple[Array, Array, int]:
    """Position (3,), quaternion (4,) wxyz and stamp in ns of a goal.

    Raises:
      PoloError: a value that is not finite, a quaternion that is not of unit length, or a frame other than
        odom.
    """
    frame = message.header.frame_id
    if frame.rpartition("/")[2] not in WORLD_FRAMES:
        raise PoloError(f"goal is in frame '{frame}'; publish it in odom, the frame of the robot's odometry")
    qpos = _unpack_pose(message.pose)
    _check_range("goal", qpos)
    _check_unit("goal", qpos[3:])
    return qpos[:3], qpos[3:], from_stamp(message.header.stamp)


def pack_velocity_goal(velocity: Array, stamp: int, frame: str) -> TwistStamped:
    """A velocity goal (3,): ahead and left in m/s, yaw rate in rad/s; the stamp is in ns."""
    message = TwistStamped()
    message.header.stamp, message.header.frame_id = to_stamp(stamp), frame
    twist = message.twist
    twist.linear.x, twist.linear.y, twist.angular.z = map(float, velocity)
    return message


def unpack_velocity_goal(message: TwistStamped) -> tuple[Array, int]:
    """A velocity goal (3,): ahead and left in m/s, yaw rate in rad/s; and its stamp in ns.

    Raises:
      PoloError: a value is not finite.
    """
    return _unpack_twist(message.twist, "velocity_goal"), from_stamp(message.header.stamp)


def unpack_cmd_vel(message: Twist | TwistStamped, base: FreeBody | None, now: int) -> VelocityCommand:
    """A velocity command; one without a stamp is of `now`, in ns.

    Raises:
      PoloError: a value is not finite, a velocity upwards, a roll or pitch rate, a frame other than the
        base's, or a stamp far from now.
    """
    stamped = isinstance(message, TwistStamped)
    velocity = _unpack_twist(message.twist if stamped else message, "cmd_vel")
    if not stamped:
        return VelocityCommand(velocity, now)
    frame = message.header.frame_id
    if base is not None and not is_base_frame(frame, base):
        raise PoloError(f"cmd_vel is in frame '{frame}'; a velocity is commanded in base_link or {base.name}")
    command = VelocityCommand(velocity, from_stamp(message.header.stamp) or now)
    command.check_age(now)
    return command


def _unpack_twist(twist: Twist, what: str) -> Array:
    """Ahead and left in m/s, yaw rate in rad/s, (3,)."""
    linear, angular = twist.linear, twist.angular
    velocity = np.array([linear.x, linear.y, angular.z])
    _check_range(what, velocity)
    if any((linear.z, angular.x, angular.y)):
        raise PoloError(
            f"{what} asks for {linear.z:g} m/s upwards and {angular.x:g} and {angular.y:g} rad/s of roll and "
            f"pitch; only linear.x, linear.y and angular.z can be followed"
        )
    return velocity
