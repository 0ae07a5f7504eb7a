"""One source for each topic that moves or measures a robot: of two nodes of this package, the later yields.

Each source publishes a claim, latched, on `<topic>/source`: who it is and when it started. A latched message
is delivered by a living publisher alone, so that a node that was killed does not count, however long it is
still listed in the graph. DDS may take seconds to deliver it: Fast DDS announces a participant five times at
its start and then every three seconds, and announcements get lost. On one machine, a lock tells at once.
"""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from polo_ros.errors import PoloError
from polo_ros.nodes.machine_lock import MachineLock
from polo_ros.nodes.qos import LATCHED

# the claims of so many sources are received at once
CLAIMS = QoSProfile(
    depth=20, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
# a claim is about 150 characters
LONGEST_CLAIM = 2000
# how long a publisher must have been listed before it is judged, in s: its name and its claim come later
SETTLE_S = 1.0
# DDS has mostly listed the nodes that are there already when its list has not changed for so long, in s of
# wall time: on a loaded machine processes answer one after the other
DISCOVERY_S = 1.0
# nodes that come and go all the time delay a start for so long at most, in s
LONGEST_DISCOVERY_S = 5.0
# how often claims are looked for before an executor receives them, in s
POLL_S = 0.02
HOW_TO_PART = "stop it, or give one of the two a namespace or a ROS_DOMAIN_ID of its own"


@dataclass(frozen=True, order=True)
class Claim:
    """Who publishes a topic; the smaller of two claims is that of the earlier node.

    Attributes:
      started: when the node started, in ns since 1970.
      identity: tells two nodes apart that started at the same time.
      node: its name with its namespace.
      host, process: where it runs.
    """

    started: int
    identity: str
    node: str
    host: str
    process: int

    @classmethod
    def parse(cls, text: str) -> Claim | None:
        """A claim as received; None where it is none."""
        if len(text) > LONGEST_CLAIM:
            return None
        try:
            content = json.loads(text)
            claim = cls(**content)
        except (ValueError, TypeError, RecursionError):
            return None
        kinds = {"started": int, "identity": str, "node": str, "host": str, "process": int}
        return claim if all(type(content[name]) is kind for name, kind in kinds.items()) else None

    def __str__(self) -> str:
        return f"{self.node}, process {self.process} on {self.host}"


class SoleSource:
    """Claims a topic for a node, and finds out who else publishes it.

    Create it before the topic's publisher, so that others learn of the claim first.

    Args:
      node: the source.
      topic: relative to its namespace.
      on_earlier: called with a sentence when a node that started earlier turns out to be the source.

    Attributes:
      topic: with its namespace.
      earlier: that sentence; empty while there is no such node.

    Raises:
      PoloError: another process of this user on this machine is the source.
    """

    def __init__(self, node: Node, topic: str, on_earlier: Callable[[str], None] = lambda _: None) -> None:
        self.topic = node.resolve_topic_name(topic)
        self.earlier = ""
        self._node = node
        self._on_earlier = on_earlier
        self._claims_topic = f"{self.topic}/source"
        self._own = Claim(
            time.time_ns(), uuid.uuid4().hex, node.get_fully_qualified_name(), platform.node(), os.getpid()
        )
        self._lock = self._take_lock()
        self._created = self._changed = time.monotonic()
        self._nodes = set(node.get_node_names_and_namespaces())
        self._later: set[Claim] = set()
        self._shared_since: float | None = None
        self._strange_since: dict[str, float] = {}
        self._subscription = node.create_subscription(String, self._claims_topic, self._on_claim, CLAIMS)
        self._publisher = node.create_publisher(String, self._claims_topic, LATCHED)
        self._publisher.publish(String(data=json.dumps(asdict(self._own))))

    def _take_lock(self) -> MachineLock | None:
        """The lock of this topic in this ROS domain; None where locks cannot be had."""
        claim = json.dumps(asdict(self._own))
        try:
            lock = MachineLock(f"{self._node.context.get_domain_id()}{self.topic}", claim)
        except OSError as error:
            self._node.get_logger().warning(
                f"other sources of {self.topic} on this machine are found by discovery alone: {error}"
            )
            return None
        if lock.holder:
            raise PoloError(self.already_published(str(Claim.parse(lock.holder) or lock.holder)))
        return lock

    def yield_to_earlier(self) -> None:
        """Give way.

        Raises:
          PoloError: a node that started earlier is the source.
        """
        if self.earlier:
            raise PoloError(self.earlier)

    def shared(self) -> bool:
        """Whether the graph lists another publisher of the topic; costs next to nothing."""
        own = sum(publisher.topic_name == self.topic for publisher in self._node.publishers)
        return self._node.count_publishers(self.topic) > own

    def discovering(self) -> bool:
        """Whether this node is so new that an earlier publisher need not be listed yet."""
        now = time.monotonic()
        if now - self._created >= LONGEST_DISCOVERY_S:
            return False
        nodes = set(self._node.get_node_names_and_namespaces())
        if nodes != self._nodes:
            self._nodes, self._changed = nodes, now
        return now - self._changed < DISCOVERY_S

    def discover(self) -> bool:
        """Wait a moment for claims where no executor receives them yet; whether to call this again.

        Raises:
          PoloError: a node that started earlier is the source.
        """
        time.sleep(POLL_S)
        with self._subscription.handle:
            while (taken := self._subscription.handle.take_message(String, False)) is not None:
                self._on_claim(taken[0])
        self.yield_to_earlier()
        return self.discovering()

    def unsettled(self) -> bool:
        """Whether another publisher has been noticed for so short a time that its claim may yet come."""
        now = time.monotonic()
        self._shared_since = (self._shared_since or now) if self.shared() else None
        return self._shared_since is not None and now - self._shared_since < SETTLE_S

    def unclaimed(self, settle: float = SETTLE_S) -> str:
        """The nodes that publish the topic without a claim, and so cannot yield; empty where none do.

        Args:
          settle: how long they must have been listed, in s.
        """
        if not self.shared():
            self._strange_since = {}
            return ""
        now = time.monotonic()
        strange = self._publishers(self.topic) - self._publishers(self._claims_topic)
        self._strange_since = {name: self._strange_since.get(name, now) for name in strange}
        return ", ".join(sorted(name for name, since in self._strange_since.items() if now - since >= settle))

    def _publishers(self, topic: str) -> Counter[str]:
        """How many publishers of a topic each node has, by its name with its namespace."""
        found = self._node.get_publishers_info_by_topic(topic)
        return Counter(f"{each.node_namespace.rstrip('/')}/{each.node_name}" for each in found)

    def _on_claim(self, message: Any) -> None:
        claim = Claim.parse(message.data)
        if claim is None or claim == self._own:
            return
        if claim < self._own:
            self.earlier = self.already_published(str(claim))
            self._on_earlier(self.earlier)
        elif claim not in self._later:
            self._later.add(claim)
            self._node.get_logger().warning(f"{self.topic} has a second source, which must end: {claim}")

    def already_published(self, who: str) -> str:
        """The sentence about another source."""
        return f"another node publishes {self.topic} already; {HOW_TO_PART} (it is {who})"
