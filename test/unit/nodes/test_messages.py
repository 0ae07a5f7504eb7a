"""Packing and unpacking: orders by name, frames against transforms3d, and what is refused."""

import math
import re

import mujoco
import numpy as np
import pytest
from nav_msgs.msg import Odometry
from numpy.testing import assert_allclose
from rclpy.serialization import serialize_message
from std_msgs.msg import Float64MultiArray, MultiArrayDimension
from transforms3d.quaternions import quat2mat, rotate_vector

from polo_ros.arrays import Array
from polo_ros.control.joints import FreeBody, JointMapping
from polo_ros.errors import PoloError
from polo_ros.nodes import messages
from polo_ros.tasks import Task

STAMP = 1_234_567_890_123_456_789  # ns
BODY = FreeBody("torso", qpos=0, qvel=0)


@pytest.fixture
def humanoid(humanoid_getup: Task) -> JointMapping:
    return JointMapping(humanoid_getup.model)


def numbers(robot: JointMapping, seed: int = 0) -> tuple[Array, Array]:
    """Any positions (nq,) with a unit quaternion, and velocities (nv,)."""
    rng = np.random.default_rng(seed)
    qpos, qvel = rng.normal(size=robot.model.nq), rng.normal(size=robot.model.nv)
    mujoco.mj_normalizeQuat(robot.model, qpos)
    return qpos, qvel


def free_state() -> tuple[Array, Array]:
    """A pose (7,) and velocity (6,) of a free joint in general position."""
    rng = np.random.default_rng(1)
    quaternion = rng.normal(size=4)
    return np.concatenate([rng.normal(size=3), quaternion / np.linalg.norm(quaternion)]), rng.normal(size=6)


def test_stamps_keep_every_nanosecond() -> None:
    assert messages.from_stamp(messages.to_stamp(STAMP)) == STAMP


def test_joint_states_are_read_by_name_in_any_order(humanoid: JointMapping) -> None:
    qpos, qvel = numbers(humanoid)
    message = messages.pack_joint_state(humanoid, qpos, qvel, STAMP)
    assert messages.from_stamp(message.header.stamp) == STAMP
    order = np.random.default_rng(0).permutation(len(message.name))
    message.name = [message.name[i] for i in order]
    message.position = np.array(message.position)[order].tolist()
    message.velocity = np.array(message.velocity)[order].tolist()
    positions, velocities = messages.unpack_joint_state(humanoid, message)
    assert_allclose(positions, qpos[humanoid.qpos], rtol=0, atol=0)
    assert_allclose(velocities, qvel[humanoid.qvel], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["slider", "hinge", "slider"], "doubled joint slider"),
        (["slider", "hinge", "elbow", "hinge"], "doubled joint hinge"),
        (["hinge"], "missing joint slider"),
        ([], "missing joint hinge, slider"),
    ],
)
def test_wrong_joint_names_are_named(cartpole: Task, names: list[str], problem: str) -> None:
    robot = JointMapping(cartpole.model)
    message = messages.pack_joint_state(robot, np.zeros(2), np.zeros(2), 0)
    message.name = names
    message.position = message.velocity = [0.0] * len(names)
    with pytest.raises(PoloError, match=f"joint_states: {problem}; expected slider, hinge"):
        messages.unpack_joint_state(robot, message)


def test_further_joints_are_ignored(cartpole: Task) -> None:
    """A gripper's fingers, which need not even have a velocity that is finite."""
    robot = JointMapping(cartpole.model)
    message = messages.pack_joint_state(robot, np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0)
    assert messages.further_joints(robot, message) == []
    message.name = ["finger", "hinge", "thumb", "slider"]
    message.position = [9.0, 2.0, 9.0, 1.0]
    message.velocity = [np.nan, 4.0, np.nan, 3.0]
    positions, velocities = messages.unpack_joint_state(robot, message)
    assert (list(positions), list(velocities)) == ([1.0, 2.0], [3.0, 4.0])
    assert messages.further_joints(robot, message) == ["finger", "thumb"]
    message.name = ["finger", "elbow", "thumb", "slider"]
    with pytest.raises(
        PoloError, match="missing joint hinge; expected slider, hinge; it also has elbow, finger"
    ):
        messages.unpack_joint_state(robot, message)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("position", math.nan),
        ("position", math.inf),
        ("position", -2e6),
        ("velocity", math.inf),
        ("velocity", 2e6),
    ],
)
def test_a_joint_that_is_not_finite_or_absurd_is_named(cartpole: Task, field: str, bad: float) -> None:
    robot = JointMapping(cartpole.model)
    message = messages.pack_joint_state(robot, np.zeros(2), np.zeros(2), 0)
    getattr(message, field)[1] = bad
    with pytest.raises(PoloError, match=f"{field} of hinge is {bad}"):
        messages.unpack_joint_state(robot, message)


def test_velocities_that_are_left_out_are_nan(cartpole: Task) -> None:
    """An empty list, or NaN for a joint without that interface, as joint_state_broadcaster publishes."""
    robot = JointMapping(cartpole.model)
    message = messages.pack_joint_state(robot, np.zeros(2), np.ones(2), 0)
    message.velocity = []
    assert np.isnan(messages.unpack_joint_state(robot, message)[1]).all()
    message.velocity = [1.0, math.nan]
    assert_allclose(messages.unpack_joint_state(robot, message)[1], [1.0, math.nan])
    message.velocity = [1.0]
    with pytest.raises(PoloError, match="1 of velocity for 2 joints"):
        messages.unpack_joint_state(robot, message)


def test_an_imu_passes_and_one_that_measures_nothing_is_refused() -> None:
    qpos, qvel = free_state()
    message = messages.pack_imu(qpos[3:], qvel[3:], STAMP, "torso")
    assert messages.from_stamp(message.header.stamp) == STAMP
    quaternion, velocity = messages.unpack_imu(message)
    assert_allclose(quaternion, qpos[3:], rtol=0, atol=0)
    assert_allclose(velocity, qvel[3:], rtol=0, atol=0)
    message.angular_velocity.y = math.nan
    with pytest.raises(PoloError, match="imu holds a value that is not finite"):
        messages.unpack_imu(message)
    message.angular_velocity.y = 2e6
    with pytest.raises(PoloError, match="imu holds a value that is beyond ±1e\\+06"):
        messages.unpack_imu(message)
    message.angular_velocity_covariance[0] = -1.0
    with pytest.raises(PoloError, match="imu has no angular velocity"):
        messages.unpack_imu(message)
    message.orientation_covariance[0] = -1.0
    with pytest.raises(PoloError, match=r"imu has no orientation \(its covariance begins with -1\); use"):
        messages.unpack_imu(message)
    message = messages.pack_imu(np.zeros(4), np.zeros(3), STAMP, "")
    with pytest.raises(PoloError, match="imu: the orientation"):
        messages.unpack_imu(message)


def test_the_twist_is_published_in_the_child_frame() -> None:
    qpos, qvel = free_state()
    message = messages.pack_odometry(BODY, qpos, qvel, STAMP, "torso")
    w, *xyz = qpos[3:]
    inverse = np.array([w, *(-number for number in xyz)])
    twist, orientation = message.twist.twist, message.pose.pose.orientation
    expected = rotate_vector(qvel[:3], inverse)  # MuJoCo's linear velocity is the world's
    assert_allclose([twist.linear.x, twist.linear.y, twist.linear.z], expected, atol=1e-15)
    assert [twist.angular.x, twist.angular.y, twist.angular.z] == list(qvel[3:])  # its angular one the body's
    assert [orientation.w, orientation.x, orientation.y, orientation.z] == list(qpos[3:])
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "torso")


def test_odometry_returns_as_it_was() -> None:
    qpos, qvel = free_state()
    received = messages.unpack_odometry(
        messages.pack_odometry(BODY, qpos, qvel, STAMP, "torso"), "odom", "child"
    )
    assert_allclose(received[0], qpos, rtol=0, atol=0)
    assert_allclose(received[1], qvel, rtol=0, atol=1e-15)
    assert received[2] == STAMP


def random_odometry(rng: np.random.Generator) -> Odometry:
    """Of any frames and numbers, with a rotation that is one now and then."""
    message = Odometry(child_frame_id=str(rng.choice(["", "a", "torso", "a long name of a frame"])))
    message.header.frame_id = str(rng.choice(["", "od", "odom", "ödometrie"]))
    message.header.stamp = messages.to_stamp(int(rng.integers(-(2**31) * 10**9, 2**31 * 10**9)))
    pose, twist = message.pose.pose, message.twist.twist
    rotation = rng.normal(size=4)
    rotation /= np.linalg.norm(rotation) if rng.random() < 0.8 else 1.0
    vectors = [(pose.position, "xyz"), (twist.linear, "xyz"), (twist.angular, "xyz")]
    for vector, names in vectors:
        for name in names:
            setattr(
                vector,
                name,
                float(rng.choice([rng.normal(), 1e300, 0.0, math.nan], p=[0.94, 0.02, 0.02, 0.02])),
            )
    for name, value in zip("xyzw", rotation, strict=True):
        setattr(pose.orientation, name, float(value))
    message.pose.covariance, message.twist.covariance = rng.normal(size=(2, 36))
    return message


def test_serialised_odometry_is_read_as_ros_2_reads_it() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        message, frame = random_odometry(rng), str(rng.choice(["child", "world"]))
        content = serialize_message(message)
        try:
            expected = messages.unpack_odometry(message, "odom", frame)
        except PoloError as error:
            refused += 1
            with pytest.raises(PoloError, match=re.escape(str(error))):
                messages.unpack_odometry(content, "odom", frame)
            continue
        read = messages.unpack_odometry(content, "odom", frame)
        assert all(np.array_equal(one, other) for one, other in zip(read, expected, strict=True))
    assert 50 < refused < 450


def test_bytes_that_are_no_odometry_are_refused() -> None:
    content = serialize_message(messages.pack_odometry(BODY, *free_state(), STAMP, "torso"))
    for end in (4, 13, 20, 30, 100, len(content) - 300):
        with pytest.raises(PoloError, match="odom holds bytes that are no odometry"):
            messages.unpack_odometry(content[:end], "odom", "child")
    for place in (12, 24):  # the lengths of texts
        spoilt = content[:place] + b"\xff\xff\xff\x7f" + content[place + 4 :]
        with pytest.raises(PoloError, match="odom holds bytes that are no odometry"):
            messages.unpack_odometry(spoilt, "odom", "child")


def test_a_twist_in_the_world_frame_is_understood() -> None:
    qpos, qvel = free_state()
    message = messages.pack_odometry(BODY, qpos, qvel, STAMP, "torso")
    linear, angular = qvel[:3], quat2mat(qpos[3:]) @ qvel[3:]
    twist = message.twist.twist
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, linear)
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, angular)
    assert_allclose(messages.unpack_odometry(message, "odom", "world")[1], qvel, rtol=0, atol=1e-15)


def test_the_twist_is_how_mujoco_moves_the_body(humanoid_getup: Task, humanoid: JointMapping) -> None:
    """The frames against the physics: where the body is a moment later, seen from its own frame."""
    model, step = humanoid_getup.model, 1e-6
    qpos, qvel = numbers(humanoid)
    assert humanoid.base is not None
    twist = messages.pack_odometry(humanoid.base, qpos, qvel, 0, "torso").twist.twist
    later = qpos.copy()
    mujoco.mj_integratePos(model, later, qvel, step)
    before, after = quat2mat(qpos[3:7]), quat2mat(later[3:7])
    linear = before.T @ (later[:3] - qpos[:3]) / step
    spin = (before.T @ after - np.eye(3)) / step
    assert_allclose([twist.linear.x, twist.linear.y, twist.linear.z], linear, atol=1e-5)
    assert_allclose(
        [twist.angular.x, twist.angular.y, twist.angular.z], [spin[2, 1], spin[0, 2], spin[1, 0]], atol=1e-5
    )


def test_odometry_that_is_no_pose_is_refused() -> None:
    message = Odometry()
    message.pose.pose.orientation.w = 0.5
    with pytest.raises(PoloError, match=r"odom: the orientation .* is not a unit quaternion"):
        messages.unpack_odometry(message, "odom", "child")
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.angular.y = math.nan
    with pytest.raises(PoloError, match="objects/box/odom holds a value that is not finite"):
        messages.unpack_odometry(message, "objects/box/odom", "child")


def test_a_goal_returns_as_it_was() -> None:
    qpos, _ = free_state()
    position, quaternion, stamp = messages.unpack_goal(messages.pack_goal(qpos[:3], qpos[3:], STAMP))
    assert stamp == STAMP
    assert [*position, *quaternion] == list(qpos)


def test_a_command_says_which_state_it_answers() -> None:
    values, answered = messages.unpack_command(messages.pack_command(np.array([1.0, -2.5]), STAMP))
    assert list(values) == [1.0, -2.5]
    assert answered == STAMP


def test_a_command_need_not_say_what_it_answers() -> None:
    message = Float64MultiArray(data=[1.0])
    assert messages.unpack_command(message)[1] is None
    message.layout.dim = [MultiArrayDimension(label="joint")]
    assert messages.unpack_command(message)[1] is None
    message.layout.dim = [MultiArrayDimension(label="answers_stamp_ns=soon")]
    with pytest.raises(PoloError, match="'answers_stamp_ns=soon' must end in a stamp in ns"):
        messages.unpack_command(message)


def test_bytes_return_as_they_were() -> None:
    content = bytes(range(256)) * 3
    assert messages.unpack_bytes(messages.pack_bytes(content)) == content
