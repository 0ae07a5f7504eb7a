"""Packing and unpacking: orders by name, frames against transforms3d, and what is refused."""

import json
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
from polo_ros.control.status import Level, Status
from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_schema
from polo_ros.nodes import messages
from polo_ros.planner import Plan
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
    ("field", "bad"), [("position", math.nan), ("position", math.inf), ("velocity", math.inf)]
)
def test_a_joint_that_is_not_finite_is_named(cartpole: Task, field: str, bad: float) -> None:
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


def test_experience_returns_as_it_was(humanoid_getup: Task) -> None:
    rng = np.random.default_rng(0)
    state = rng.normal(size=humanoid_getup.state_size)
    ctrl = rng.uniform(-0.4, 0.4, size=humanoid_getup.model.nu)
    first = messages.pack_experience(1.5, 2, state, ctrl, -0.25)
    second = messages.pack_experience(1.508, 2, 2.0 * state, -ctrl, 0.5)
    first.data.extend(second.data)
    rows = messages.unpack_experience(first, humanoid_getup)
    assert list(rows["time"]) == [1.5, 1.508]
    assert list(rows["episode"]) == [2.0, 2.0]
    assert list(rows["reward"]) == [-0.25, 0.5]
    assert_allclose(rows["state"], [state, 2.0 * state], rtol=0, atol=0)
    assert_allclose(rows["ctrl"], [ctrl, -ctrl], rtol=0, atol=0)


def test_experience_of_a_wrong_size_or_not_finite_is_refused(cartpole: Task) -> None:
    message = messages.pack_experience(0.0, 0, np.zeros(4), np.zeros(1), 0.0)
    message.data[3] = math.nan
    with pytest.raises(PoloError, match="not finite"):
        messages.unpack_experience(message, cartpole)
    for data in (list[float](), list(message.data[:-1])):
        with pytest.raises(PoloError, match=f"experience has {len(data)} values, not a multiple of 8"):
            messages.unpack_experience(Float64MultiArray(data=data), cartpole)


@pytest.mark.parametrize(
    ("entry", "number", "message"),
    [
        (1, 0.5, "episodes that are no whole numbers"), (1, 1e300, "episodes that are no whole numbers"),
        (3, 1e7, "beyond 1e"), (6, 1.5, "controls out of the actuators' ranges"), (7, -1e200, "beyond 1e"),
    ],
)  # fmt: skip
def test_experience_out_of_range_is_refused(cartpole: Task, entry: int, number: float, message: str) -> None:
    packed = messages.pack_experience(0.0, 0, np.zeros(4), np.zeros(1), 0.0)
    packed.data[entry] = number
    with pytest.raises(PoloError, match=message):
        messages.unpack_experience(packed, cartpole)


def test_size_of_an_experience_message_is_bounded(cartpole: Task) -> None:
    message = Float64MultiArray(data=[0.0] * (8 * 10_001))
    with pytest.raises(PoloError, match=r"experience, values: .* are more than"):
        messages.unpack_experience(message, cartpole)


def test_the_schema_tells_a_reader_the_fields(cartpole: Task) -> None:
    schema = json.loads(experience_schema(cartpole, ["slider", "hinge"]))
    assert schema["joints"] == ["slider", "hinge"]
    assert schema["dt"] == cartpole.timestep
    assert [(field["name"], field["size"]) for field in schema["fields"]] == [
        ("time", 1), ("episode", 1), ("qpos", 2), ("qvel", 2), ("ctrl", 1), ("reward", 1),
    ]  # fmt: skip
    messages.check_schema(json.dumps(schema), cartpole)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("task", "juggling", "experience is of task juggling, not cartpole_swingup"),
        ("model_hash", "0123", "experience is of model_hash 0123, not"),
        ("version", 99, "experience is of version 99, not 1"),
        ("fields", [], "other fields"),
        ("fields", None, "is not a schema"),
    ],
)
def test_another_schema_is_refused(cartpole: Task, key: str, value: object, sentence: str) -> None:
    schema = json.loads(experience_schema(cartpole, [])) | {key: value}
    with pytest.raises(PoloError, match=sentence):
        messages.check_schema(json.dumps(schema), cartpole)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", "null"])
def test_what_is_no_schema_is_refused(cartpole: Task, content: str) -> None:
    with pytest.raises(PoloError, match="experience/schema is not a schema"):
        messages.check_schema(content, cartpole)


def test_bytes_return_as_they_were() -> None:
    content = bytes(range(256)) * 3
    assert messages.unpack_bytes(messages.pack_bytes(content)) == content


def test_a_plan_holds_efforts_by_joint_in_absolute_time(cartpole: Task) -> None:
    plan = Plan(start=12.5, spacing=0.3, knots=np.array([[0.1], [-0.2], [1.0], [0.5]]), interpolation="cubic")
    message = messages.pack_plan(JointMapping(cartpole.model), plan, plan.knots)
    assert messages.from_stamp(message.header.stamp) == 12_500_000_000
    assert message.header.frame_id == "interpolation:cubic"
    assert message.joint_names == ["slider"]
    assert_allclose([point.effort[0] for point in message.points], [1.0, -2.0, 10.0, 5.0])
    after = [point.time_from_start.sec * 10**9 + point.time_from_start.nanosec for point in message.points]
    assert after == [0, 300_000_000, 600_000_000, 900_000_000]


def test_traces_show_the_best_one_thick_and_red() -> None:
    positions = np.random.default_rng(0).normal(size=(30, 5, 3))
    returns = np.linspace(3.0, -3.0, 30)
    message = messages.pack_traces(positions, returns, STAMP, most=4)
    assert [marker.id for marker in message.markers] == [3, 2, 1, 0]
    worst, best = message.markers[0], message.markers[-1]
    assert best.ns == "best" and best.scale.x > worst.scale.x
    assert (best.color.r, best.color.b, worst.color.r, worst.color.b) == (1.0, 0.0, 0.0, 1.0)
    assert_allclose(messages.unpack_traces(message).best, positions[0])
    assert all(marker.header.frame_id == "odom" for marker in message.markers)


def test_traces_of_equal_or_no_rollouts_are_drawn_all_the_same() -> None:
    message = messages.pack_traces(np.zeros((2, 3, 3)), np.ones(2), STAMP)
    assert len(message.markers) == 2
    empty = messages.pack_traces(np.zeros((0, 3, 3)), np.ones(0), STAMP)
    assert messages.unpack_traces(empty).best.shape == (0, 3)


def test_diagnostics_name_level_and_values() -> None:
    message = messages.pack_diagnostics("planner_node", Status(Level.WARN, "late", {"plans": 3}), STAMP)
    (status,) = message.status
    assert (status.name, status.level, status.message) == ("planner_node", b"\x01", "late")
    assert [(pair.key, pair.value) for pair in status.values] == [("plans", "3")]
    assert messages.from_stamp(message.header.stamp) == STAMP


def test_a_plan_comes_back_as_it_was(cartpole: Task) -> None:
    joints = JointMapping(cartpole.model)
    plan = Plan(start=12.5, spacing=0.3, knots=np.array([[0.1], [-0.2], [1.0], [0.5]]), interpolation="cubic")
    back = messages.unpack_plan(joints, messages.pack_plan(joints, plan, plan.knots))
    assert (back.start, back.interpolation) == (12.5, "cubic")
    assert_allclose(back.spacing, 0.3)
    assert_allclose(back.knots, plan.knots)


def test_a_plan_that_is_none_is_refused(cartpole: Task) -> None:
    joints = JointMapping(cartpole.model)
    plan = Plan(0.0, 0.3, np.zeros((3, 1)), "cubic")
    message = messages.pack_plan(joints, plan, plan.knots)
    message.points[2].time_from_start.sec = 5
    with pytest.raises(PoloError, match="not at equal times"):
        messages.unpack_plan(joints, message)
    message.header.frame_id = "interpolation:wavy"
    with pytest.raises(PoloError, match="interpolation 'wavy'"):
        messages.unpack_plan(joints, message)
    message.joint_names = ["elbow"]
    with pytest.raises(PoloError, match="expected slider"):
        messages.unpack_plan(joints, message)


def test_traces_come_back_with_their_colours() -> None:
    positions = np.random.default_rng(0).normal(size=(3, 5, 3))
    traces = messages.unpack_traces(messages.pack_traces(positions, np.array([3.0, 2.0, 1.0]), STAMP))
    assert_allclose(traces.best, positions[0])
    assert_allclose(traces.paths, positions[:0:-1])
    assert_allclose(traces.colours, [[0.0, 76.5, 255.0], [127.5, 76.5, 127.5]], atol=0.01)


def test_reward_terms_come_back_by_name() -> None:
    message = messages.pack_reward_terms(["height", "control"], [1.5, -0.5])
    assert messages.unpack_reward_terms(message) == {"height": 1.5, "control": -0.5}
    message.layout.dim[0].label = "height"
    assert messages.unpack_reward_terms(message) == {}


def test_a_push_comes_back_with_its_body() -> None:
    force, torque = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    body, wrench = messages.unpack_push(messages.pack_push("torso", force, torque, STAMP))
    assert body == "torso"
    assert_allclose(wrench, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    for bad in (np.nan, 1e9):
        with pytest.raises(PoloError, match="a push must be finite and at most"):
            messages.unpack_push(messages.pack_push("torso", np.full(3, bad), torque, STAMP))
