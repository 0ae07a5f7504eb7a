"""A node that costs the executor little."""

from __future__ import annotations

from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription


class LightweightNode(Node):
    """A node whose topics have no handlers of DDS events.

    The executor looks at every handler before each message and timer, and two handlers a topic made up half
    of the planner's executor at 125 Hz. They would warn of publishers and subscriptions with an
    incompatible quality of service.

    Attributes:
      unawaited: subscriptions that do not wake the executor (`NodeExecutor`): their messages are handled when
        something else does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.unawaited: set[Subscription[Any]] = set()
        super().__init__(*args, **kwargs)

    def create_publisher(self, *args: Any, **kwargs: Any) -> Publisher[Any]:
        """As every node's."""
        quiet = PublisherEventCallbacks(use_default_callbacks=False)
        return super().create_publisher(*args, **{"event_callbacks": quiet, **kwargs})

    def create_subscription(self, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """As every node's."""
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        return super().create_subscription(*args, **{"event_callbacks": quiet, **kwargs})
