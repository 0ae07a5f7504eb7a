"""A node that costs the executor little, and ROS 2's own errors as one sentence."""

from __future__ import annotations

import re
import warnings
from typing import Any

import rclpy
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

from polo_ros.errors import PoloError

# ", at /project/src/participant.cpp:364": of the C library's sources
SOURCE_LINE = re.compile(r", at \S+:\d+")


def initialise(args: list[str] | None = None, **kwargs: Any) -> None:
    """`rclpy.init` without its signal handlers.

    Raises:
      PoloError: an option that ROS 2 does not know, or an environment that it cannot work in.
    """
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO, **kwargs)
    except RuntimeError as error:
        raise PoloError(f"ROS 2 does not start: {in_one_line(error)}") from None


def in_one_line(error: Exception) -> str:
    """An error of ROS 2's C libraries as one line, without the mark below a misspelt name."""
    return SOURCE_LINE.sub("", " ".join(str(error).split()).removesuffix(" ^"))


class LightweightNode(Node):
    """A node whose topics have no handlers of DDS events.

    The executor looks at every handler before each message and timer, and two handlers a topic made up half
    of the planner's executor at 125 Hz. They would warn of publishers and subscriptions with an
    incompatible quality of service.

    Attributes:
      unawaited: subscriptions that do not wake the executor (`NodeExecutor`): their messages are handled when
        something else does.

    Raises:
      PoloError: ROS 2 refuses to make the node, such as one that must be secure and cannot be.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.unawaited: set[Subscription[Any]] = set()
        try:
            with warnings.catch_warnings():  # of what rclpy cannot tidy up after a node that was not made
                warnings.simplefilter("ignore", RuntimeWarning)
                super().__init__(name, **kwargs)
        except (RuntimeError, NameValidationException) as error:
            raise PoloError(f"ROS 2 cannot make {name}: {in_one_line(error)}") from None

    def create_publisher(self, *args: Any, **kwargs: Any) -> Publisher[Any]:
        """As every node's."""
        quiet = PublisherEventCallbacks(use_default_callbacks=False)
        return super().create_publisher(*args, **{"event_callbacks": quiet, **kwargs})

    def create_subscription(self, *args: Any, **kwargs: Any) -> Subscription[Any]:
        """As every node's."""
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        return super().create_subscription(*args, **{"event_callbacks": quiet, **kwargs})
