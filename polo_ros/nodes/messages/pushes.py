"""A push of a body of the simulated robot."""

import numpy as np
from geometry_msgs.msg import WrenchStamped

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.nodes.messages.stamps import to_stamp

# N and N·m; ten times the weight of a heavy humanoid
MOST_FORCE = 1e4


def pack_push(body: str, force: Array, torque: Array, stamp: int) -> WrenchStamped:
    """A force (3,) in N and a torque (3,) in N·m about a body's centre of mass, in the world's frame.

    The message's frame names the body that is pushed; the axes are those of `odom`.
    """
    message = WrenchStamped()
    message.header.stamp = to_stamp(stamp)
    message.header.frame_id = body
    for vector, values in ((message.wrench.force, force), (message.wrench.torque, torque)):
        vector.x, vector.y, vector.z = map(float, values)
    return message


def unpack_push(message: WrenchStamped) -> tuple[str, Array]:
    """The body and the force and torque on it, (6,).

    Raises:
      PoloError: a value is not finite, or larger than `MOST_FORCE`.
    """
    force, torque = message.wrench.force, message.wrench.torque
    wrench = np.array([force.x, force.y, force.z, torque.x, torque.y, torque.z])
    if not np.isfinite(wrench).all() or np.abs(wrench).max() > MOST_FORCE:
        raise PoloError(f"a push must be finite and at most {MOST_FORCE:g} N and N·m, not {wrench}")
    return message.header.frame_id, wrench
