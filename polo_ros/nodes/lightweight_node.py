"""A node that the executor is quick with."""

from typing import Any

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription


class LightweightNode(Node):
    """A node whose topics have no handlers of DDS events.

    The executor looks at every handler before each message and timer, and two a topic were half of what the
    planner's executor did at 125 Hz. They would warn of publishers whose quality of service no subscription
    here accepts; what these nodes ask for avoids that.
    """

    def create_publisher(self, *args: Any, **kwargs: Any) -> Publisher[Any]:
        """As every node's."""
        quiet = PublisherEventCallbacks(use_default_callbacks=False)
        return super().create_publisher(*args, **{"event_callbacks": quiet, **kwargs})

    def create_subscription(self, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """As every node's."""
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        return super().create_subscription(*args, **{"event_callbacks": quiet, **kwargs})
