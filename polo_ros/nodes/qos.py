"""The qualities of service that the nodes use."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
# best effort, so that every driver matches
SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
# for listeners that must see every state: states queue up instead of replacing each other
EVERY_STATE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
