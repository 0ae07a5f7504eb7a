"""What planner and learner exchange: transitions, their schema, and weights as bytes."""

import array
from collections.abc import Mapping

import numpy as np
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray

from polo_ros.arrays import Array
from polo_ros.learner import experience
from polo_ros.nodes.messages.limits import (
    MOST_SCHEMA_CHARACTERS,
    MOST_TRANSITIONS,
    MOST_WEIGHT_BYTES,
    check_size,
)
from polo_ros.tasks.task import Task


def check_schema(content: str, task: Task, reward_weights: Mapping[str, float] | None = None) -> None:
    """Compare a received schema with a task's own; see `polo_ros.learner.experience`.

    Raises:
      PoloError: it is too long, no schema, or of another version, task, model, control period, layout or
        reward.
    """
    check_size(len(content), MOST_SCHEMA_CHARACTERS, "experience/schema, characters")
    experience.check_schema(content, task, reward_weights)


def pack_experience(time: float, episode: int, state: Array, ctrl: Array, reward: float) -> Float64MultiArray:
    """One transition."""
    row = np.concatenate([[time, episode], state, ctrl, [reward]])
    message = Float64MultiArray()
    message.layout.dim = [
        MultiArrayDimension(label="transition", size=1, stride=row.size),
        MultiArrayDimension(label="field", size=row.size, stride=row.size),
    ]
    message.data = array.array("d", row.tobytes())
    return message


def unpack_experience(message: Float64MultiArray, task: Task) -> dict[str, Array]:
    """Transitions as `experience_columns` gives them.

    Raises:
      PoloError: the message is too long, or its values are no transitions of the task.
    """
    width = experience.experience_width(task)
    check_size(len(message.data), MOST_TRANSITIONS * width, "experience, values")
    return experience.experience_columns(message.data, task)


def pack_bytes(content: bytes) -> UInt8MultiArray:
    """Bytes, such as weights."""
    message = UInt8MultiArray()
    message.layout.dim = [MultiArrayDimension(label="bytes", size=len(content), stride=len(content))]
    message.data = array.array("B", content)
    return message


def unpack_bytes(message: UInt8MultiArray) -> bytes:
    """The inverse of `pack_bytes`.

    Raises:
      PoloError: there are more than `MOST_WEIGHT_BYTES`.
    """
    check_size(len(message.data), MOST_WEIGHT_BYTES, "weights, bytes")
    return bytes(message.data)
