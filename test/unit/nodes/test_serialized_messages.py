"""Messages written as bytes are those that ROS 2 makes of message objects."""

from typing import Any

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock

from polo_ros.control.joints import JointMapping
from polo_ros.nodes.messages import pack_joint_state, pack_odometry, to_stamp
from polo_ros.nodes.messages.serialized import (
    SerializedClock,
    SerializedJointState,
    SerializedOdometry,
    Template,
)
from polo_ros.tasks import make_task

EXTREMES = (0.0, -0.0, 1e-310, 1e300, np.nan, np.inf)


def same(content: bytes, message: Any) -> bool:
    """Whether bytes are a message, as ROS 2 reads them; NaN is equal to itself. Padding may be anything."""
    expected = serialize_message(message)
    read = deserialize_message(content, type(message))
    return len(content) == len(expected) and repr(read) == repr(deserialize_message(expected, type(message)))


@pytest.mark.parametrize("name", ["cartpole_swingup", "humanoid_getup", "humanoid_box", "hand_cube"])
def test_states_are_those_of_message_objects(name: str) -> None:
    model = make_task(name).model
    joints, rng = JointMapping(model), np.random.default_rng(0)
    bodies = [*joints.objects, *([joints.base] if joints.base else [])]
    joint_state, clock = SerializedJointState(joints), SerializedClock()
    odometry = [SerializedOdometry(body, (model.nq, model.nv)) for body in bodies]
    for trial in range(60):
        qpos, qvel = rng.normal(0.0, 10.0, model.nq), rng.normal(0.0, 10.0, model.nv)
        if trial % 5 == 0:
            extreme = EXTREMES[trial // 5 % len(EXTREMES)]
            qpos[rng.integers(model.nq)] = qvel[rng.integers(model.nv)] = extreme
        stamp = int(rng.integers(0, 2**31 * 10**9))
        assert same(clock.at(stamp), Clock(clock=to_stamp(stamp)))
        assert same(joint_state.at(stamp, qpos, qvel), pack_joint_state(joints, qpos, qvel, stamp))
        for body, serialized in zip(bodies, odometry, strict=True):
            message = pack_odometry(body, qpos, qvel, stamp, body.name)
            assert same(serialized.at(stamp, qpos, qvel), message)


def test_numbers_that_are_not_unique_are_no_place() -> None:
    one = np.array([1.5])
    with pytest.raises(AssertionError, match="must occur once"):
        Template(bytes(12) + one.tobytes() * 2, one)
