"""The simulated robot's frames on /tf, where tf2's messages are installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from polo_ros.arrays import Array
from polo_ros.control.joints import FreeBody
from polo_ros.nodes.messages import pack_transform

TOPIC = "/tf"
QUEUE = 100  # as tf2's broadcasters


class Transforms:
    """Publishes the pose of each free body, odom → body, as a robot's driver does, while someone listens.

    Args:
      node: publishes.
      bodies: the base and free objects; without any nothing is published, nor without the package tf2_msgs.
    """

    def __init__(self, node: Node, bodies: Sequence[FreeBody]) -> None:
        self._bodies = bodies
        self._kind = transforms_message()
        self._publisher: Any = (
            node.create_publisher(self._kind, TOPIC, QUEUE) if self._kind and bodies else None
        )

    def publish(self, qpos: Array, stamp: int) -> None:
        """Publish the frames of a configuration (nq,) and its stamp in ns."""
        if self._publisher is not None and self._publisher.get_subscription_count():
            transforms = [pack_transform(body, qpos, stamp) for body in self._bodies]
            self._publisher.publish(self._kind(transforms=transforms))


def transforms_message() -> Any:
    """The class of tf2_msgs/TFMessage; None where tf2 is not installed."""
    try:
        return importlib.import_module("tf2_msgs.msg").TFMessage
    except ImportError:
        return None
