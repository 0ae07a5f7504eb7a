"""Transitions as rows of numbers, as the topic `experience` and bags hold them, and their schema."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.origin import read_reward_weights, reward_difference, same
from polo_ros.tasks.goals import VELOCITY
from polo_ros.tasks.state import LARGEST_VALUE, clock_entry
from polo_ros.tasks.task import Task

SCHEMA_VERSION = 1
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


def experience_schema(
    task: Task, joints: Sequence[str], reward_weights: Mapping[str, float] | None = None
) -> str:
    """What a reader of `experience` needs to know, as JSON.

    Args:
      task: whose transitions they are.
      joints: their names, in the order of the controls.
      reward_weights: by which the rewards are computed; None for the task's present ones.
    """
    fields = [{"name": name, "size": size, "unit": unit} for name, size, unit in experience_fields(task)]
    return json.dumps(
        {
            "version": SCHEMA_VERSION,
            "task": task.name,
            "model_hash": task.model_hash(),
            "dynamics_hash": task.dynamics_hash(),
            "reward_weights": dict(task.weights if reward_weights is None else reward_weights),
            "dt": task.timestep,
            "joints": list(joints),
            "fields": fields,
        }
    )


def check_schema(content: str, task: Task, reward_weights: Mapping[str, float] | None = None) -> None:
    """Compare a received schema with a task's own.

    Earlier versions stated neither `dynamics_hash` nor `reward_weights`: they are not compared then.

    Args:
      content: the schema.
      task: what the experience must be of.
      reward_weights: that its rewards must have been computed with; None accepts any.

    Raises:
      PoloError: it is no schema, or of another version, task, model, control period, layout or reward.
    """
    try:
        schema = json.loads(content)
        given = [(field["name"], field["size"], field["unit"]) for field in schema["fields"]]
        found = {key: schema[key] for key in ("version", "task", "model_hash")}
        dynamics, period = schema.get("dynamics_hash", task.dynamics_hash()), float(schema["dt"])
        weights = read_reward_weights(schema["reward_weights"]) if "reward_weights" in schema else None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PoloError(f"experience/schema is not a schema ({error!r:.200})") from None
    own = {"version": SCHEMA_VERSION, "task": task.name, "model_hash": task.model_hash()}
    for key, value in own.items():
        if found[key] != value:
            raise PoloError(
                f"experience is of {key} {found[key]!s:.40}, not {value}; start planner and learner with the "
                f"same task, model and torque_scale"
            )
    if dynamics != task.dynamics_hash():
        raise PoloError(
            "experience is of a model with other actuator gains, friction or gravity; start planner and "
            "learner with the same model"
        )
    if not same(period, task.timestep):
        raise PoloError(
            f"experience is of a control period of {period:g} s, not {task.timestep:g} s; start planner and "
            f"learner with the same timestep and substeps"
        )
    if reward_weights is not None and weights is not None:
        difference = reward_difference(weights, reward_weights)
        if difference:
            raise PoloError(
                f"experience is of reward {difference}; give planner and learner the same weights"
            )
    if given != experience_fields(task):
        raise PoloError("experience has other fields than this version's; update both nodes")


def experience_columns(values: ArrayLike, task: Task) -> dict[str, Array]:
    """Transitions as columns: time (n,), episode (n,), state (n, state_size), ctrl (n, nu), reward (n,).

    Args:
      values: of the fields of one transition after the other, a multiple of `experience_width`.
      task: whose transitions they are.

    Raises:
      PoloError: the number of values is no multiple of a transition's, a value is not finite or out of range,
        or an episode's number is no whole one.
    """
    width, numbers = experience_width(task), np.array(values, float).ravel()
    count = len(numbers)
    if count == 0 or count % width:
        raise PoloError(f"experience has {count} values, not a multiple of {width}")
    if not np.isfinite(numbers).all():
        raise PoloError("experience holds values that are not finite")
    rows = numbers.reshape(-1, width)
    state_end = 2 + task.state_size
    if np.abs(rows[:, 2:]).max() > LARGEST_VALUE:
        raise PoloError(f"experience holds values beyond {LARGEST_VALUE:g}; the robot's model has diverged")
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


def experience_width(task: Task) -> int:
    """The number of values of one transition."""
    return sum(size for _, size, _ in experience_fields(task))
