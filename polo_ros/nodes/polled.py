"""Topics that a node polls, instead of being woken by each message."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

M = TypeVar("M")
# the newest message alone, whatever the publisher offers
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Unexecuted(CallbackGroup):
    """Subscriptions that no executor waits for."""

    def can_execute(self, entity: object) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: object) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: object) -> None:
        """There is nothing to end."""


class PolledTopic(Generic[M]):
    """A topic whose newest message is taken on demand, since 30 polls a second cost less than 125 callbacks.

    Args:
      node: subscribes.
      kind: type of the messages.
      topic: relative to the node's namespace.
      group: an `Unexecuted` of the node.
      qos: with a depth of 1.
      raw: whether messages are taken in their serialised form.
    """

    def __init__(
        self,
        node: Node,
        kind: type[M],
        topic: str,
        group: Unexecuted,
        qos: QoSProfile = NEWEST,
        raw: bool = False,
    ) -> None:
        self._node = node
        self._kind = kind
        self._raw = raw
        self._subscription = node.create_subscription(kind, topic, _ignore, qos, callback_group=group)

    def take(self) -> M | Any | None:
        """The newest message since the last call; None where there is none."""
        return take(self._subscription, self._kind, self._raw)

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)


def take(subscription: Subscription[Any], kind: type[M], raw: bool = False) -> M | Any | None:
    """The newest message of a subscription, without an executor; None where there is none."""
    newest = None
    with subscription.handle:
        while (taken := subscription.handle.take_message(kind, raw)) is not None:
            newest = taken[0]
    return newest


def _ignore(_: object) -> None:
    """No executor calls back."""
