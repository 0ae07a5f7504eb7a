"""What planner and learner exchange: transitions, their schema, and weights as bytes."""

import array
import json
from collections.abc import Sequence

import numpy as np
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.nodes.messages.limits import (
    MOST_SCHEMA_CHARACTERS,
    MOST_TRANSITIONS,
    MOST_WEIGHT_BYTES,
    check_size,
)
from polo_ros.tasks.goals import VELOCITY
from polo_ros.tasks.state import clock_entry
from polo_ros.tasks.task import Task

SCHEMA_VERSION = 1
# of positions, velocities and rewards: far beyond those of a robot, and far below those that overflow
VALUE_LIMIT = 1e6
EPISODE_LIMIT = float(1 << 53)
# controls may leave their range by rounding
RANGE_SLACK = 1e-6


def experience_fields(task: Task) -> list[tuple[str, int, str]]:
    """Name, size and unit of each field of a transition."""
    model, velocity = task.model, VELOCITY in task.goals.kinds
    fields = [
        ("time", 1, "s"),
        ("episode", 1, "1"),
        ("qpos", model.nq, "m, rad, quaternion wxyz"),
        ("qvel", model.nv, "m/s, rad/s"),
        ("act", model.na, "actuator's"),
        ("gait_clock", int(clock_entry(model) is not None), "s"),
        ("mocap_pos", 3 * model.nmocap, "m; velocity goal: m/s, m/s, rad/s" if velocity else "m"),
        ("mocap_quat", 4 * model.nmocap, "quaternion wxyz"),
        ("ctrl", model.nu, "control range"),
        ("reward", 1, "1"),
    ]
    return [field for field in fields if field[1]]


def experience_schema(task: Task, joints: Sequence[str]) -> str:
    """What a reader of `experience` needs to know, as JSON."""
    fields = [{"name": name, "size": size, "unit": unit} for name, size, unit in experience_fields(task)]
    return json.dumps(
        {
            "version": SCHEMA_VERSION,
            "task": task.name,
            "model_hash": task.model_hash(),
            "dt": task.timestep,
            "joints": list(joints),
            "fields": fields,
        }
    )


def check_schema(content: str, task: Task) -> None:
    """Compare a received schema with a task's own.

    Raises:
      PoloError: it is no schema, too long, or of another version, task, model or layout.
    """
    check_size(len(content), MOST_SCHEMA_CHARACTERS, "experience/schema, characters")
    try:
        schema = json.loads(content)
        given = [(field["name"], field["size"], field["unit"]) for field in schema["fields"]]
        found = {key: schema[key] for key in ("version", "task", "model_hash")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PoloError(f"experience/schema is not a schema ({error!r:.200})") from None
    own = {"version": SCHEMA_VERSION, "task": task.name, "model_hash": task.model_hash()}
    for key, value in own.items():
        if found[key] != value:
            raise PoloError(
                f"experience is of {key} {found[key]!s:.40}, not {value}; start planner and learner with the "
                f"same task, model and torque_scale"
            )
    if given != experience_fields(task):
        raise PoloError("experience has other fields than this version's; update both nodes")


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
    """Transitions as columns: time (n,), episode (n,), state (n, state_size), ctrl (n, nu), reward (n,).

    Raises:
      PoloError: the message is too long or its length is no multiple of a transition's, a value is not finite
        or out of range, or an episode's number is no whole one.
    """
    width = sum(size for _, size, _ in experience_fields(task))
    count = len(message.data)
    check_size(count, MOST_TRANSITIONS * width, "experience, values")
    if count == 0 or count % width:
        raise PoloError(f"experience has {count} values, not a multiple of {width}")
    values = np.array(message.data)
    if not np.isfinite(values).all():
        raise PoloError("experience holds values that are not finite")
    rows = values.reshape(-1, width)
    state_end = 2 + task.state_size
    if np.abs(rows[:, 2:]).max() > VALUE_LIMIT:
        raise PoloError(f"experience holds values beyond {VALUE_LIMIT:g}; the robot's model has diverged")
    ctrl = rows[:, state_end:-1]
    if ((ctrl < task.control_low - RANGE_SLACK) | (ctrl > task.control_high + RANGE_SLACK)).any():
        raise PoloError("experience holds controls out of the actuators' ranges")
    if np.abs(rows[:, 1]).max() > EPISODE_LIMIT or (rows[:, 1] != np.floor(rows[:, 1])).any():
        raise PoloError("experience holds numbers of episodes that are no whole numbers")
    return {
        "time": rows[:, 0],
        "episode": rows[:, 1],
        "state": rows[:, 2:state_end],
        "ctrl": np.clip(ctrl, task.control_low, task.control_high),
        "reward": rows[:, -1],
    }


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
