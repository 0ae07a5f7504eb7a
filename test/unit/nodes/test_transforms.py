"""The frames of a simulated robot on /tf."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polo_ros.control.joints import JointMapping
from polo_ros.nodes import transforms
from polo_ros.nodes.messages import pack_odometry, pack_transform
from polo_ros.nodes.transforms import TOPIC, Transforms
from polo_ros.tasks import make_task

JOINTS = JointMapping(make_task("humanoid_getup").model)
QPOS = np.zeros(JOINTS.model.nq)
QPOS[:7] = [1.0, 2.0, 3.0, 0.1, 0.7, 0.5, -0.5]
STAMP = 3_000_000_007


def test_a_frame_is_that_of_odom() -> None:
    assert JOINTS.base is not None
    found = pack_transform(JOINTS.base, QPOS, STAMP)
    odometry = pack_odometry(JOINTS.base, QPOS, np.zeros(JOINTS.model.nv), STAMP, JOINTS.base.name)
    assert (found.header, found.child_frame_id) == (odometry.header, odometry.child_frame_id)
    assert found.transform.rotation == odometry.pose.pose.orientation
    place, position = found.transform.translation, odometry.pose.pose.position
    assert (place.x, place.y, place.z) == (position.x, position.y, position.z)


@pytest.mark.parametrize("listeners", [0, 1])
def test_frames_are_published_for_who_listens(monkeypatch: pytest.MonkeyPatch, listeners: int) -> None:
    """With a stand-in for the package tf2_msgs, which no wheel of ROS 2 holds."""
    monkeypatch.setattr(transforms, "transforms_message", lambda: SimpleNamespace)
    sent: list[Any] = []
    publisher = SimpleNamespace(get_subscription_count=lambda: listeners, publish=sent.append)
    topics: list[str] = []
    node: Any = SimpleNamespace(create_publisher=lambda _, topic, __: topics.append(topic) or publisher)
    assert JOINTS.base is not None
    Transforms(node, [JOINTS.base]).publish(QPOS, STAMP)
    assert topics == [TOPIC] and len(sent) == listeners
    assert all([each.child_frame_id for each in message.transforms] == [JOINTS.base.name] for message in sent)


def test_without_tf2_or_a_free_body_nothing_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    Transforms(SimpleNamespace(), []).publish(QPOS, STAMP)  # type: ignore[arg-type]
    assert JOINTS.base is not None
    monkeypatch.setattr(transforms, "transforms_message", lambda: None)
    Transforms(SimpleNamespace(), [JOINTS.base]).publish(QPOS, STAMP)  # type: ignore[arg-type]
