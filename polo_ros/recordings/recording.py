"""A robot's run as arrays: states, commands, rewards, plans, weights and the planner's statuses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polo_ros.arrays import Array
from polo_ros.control import NANOSECONDS
from polo_ros.control.joints import JointMapping
from polo_ros.control.plan_message import read_plan
from polo_ros.errors import PoloError
from polo_ros.learner.experience import check_schema, experience_columns, experience_width
from polo_ros.planner.plan import Plan
from polo_ros.recordings.bag import EXPERIENCE, SCHEMA, WEIGHTS, messages
from polo_ros.tasks.task import Task

PLAN, DIAGNOSTICS = "planner_node/plan", "/diagnostics"
# episodes of another bag begin at the next multiple of this
EPISODES_A_BAG = 1_000_000


@dataclass(frozen=True)
class PlannerStatus:
    """A status of the planner on /diagnostics: its time in s, level (0 is good) and sentence."""

    time: float
    level: int
    text: str


@dataclass(frozen=True)
class Recording:
    """One run; its times are those of the robot's clock, in s.

    Attributes:
      task: what was to be done.
      time, episode: (n,), of each transition.
      state: (n, state_size).
      ctrl: (n, nu), executed in it.
      reward: (n,), earned there.
      plans: in order; empty where they were not recorded.
      weights: time and content of each message of the value function.
      statuses: of the planner, in order.
    """

    task: Task
    time: Array
    episode: Array
    state: Array
    ctrl: Array
    reward: Array
    plans: tuple[Plan, ...]
    weights: tuple[tuple[float, bytes], ...]
    statuses: tuple[PlannerStatus, ...]

    def index_at(self, seconds: float) -> int:
        """The transition at a time in s since the first one.

        Raises:
          PoloError: the run is over by then, or had not begun.
        """
        length = float(self.time[-1] - self.time[0])
        if not 0.0 <= seconds <= length + self.task.timestep:
            raise PoloError(
                f"the recording lasts from 0 to {length:.2f} s; there is nothing at {seconds:g} s"
            )
        return int(np.abs(self.time - self.time[0] - seconds).argmin())


def read_recording(path: Path, task: Task, namespace: str = "", bag: int = 0) -> Recording:
    """Read a bag.

    Args:
      path: of the bag.
      task: with the model that the robot was planned for.
      namespace: of the robot; empty for none.
      bag: the number of the bag among several, so that their episodes differ.

    Raises:
      PoloError: the bag cannot be read, is of another task or model, or holds no experience.
    """
    values: list[Array] = []
    recorded: list[int] = []
    plans, weights, statuses, schemas = [], [], [], 0
    joints = JointMapping(task.model)
    planner = f"{namespace.strip('/')}/planner_node".lstrip("/")
    topics = (SCHEMA, EXPERIENCE, PLAN, WEIGHTS, DIAGNOSTICS)
    for topic, stamp, message in messages(path, topics, namespace):
        if topic == SCHEMA:
            check_schema(message.data, task)
            schemas += 1
        elif topic == EXPERIENCE:
            values.append(np.asarray(message.data))
            recorded.append(stamp)
        elif topic == PLAN:
            plans.append(read_plan(joints, message))
        elif topic == WEIGHTS:
            weights.append((stamp, bytes(message.data)))
        else:
            statuses += [_planner_status(message, one) for one in message.status if one.name == planner]
    if not schemas or not values:
        raise PoloError(f"{path} holds no {EXPERIENCE} with its schema, from which a run could be read")
    columns = experience_columns(np.concatenate(values), task)
    # weights have no stamp of their own: the transitions recorded before and after them tell their time
    each = np.array(recorded, float)
    last = np.cumsum([len(some) // experience_width(task) for some in values]) - 1
    times = np.interp([stamp for stamp, _ in weights], each, columns["time"][last])
    return Recording(
        task=task,
        time=columns["time"],
        episode=columns["episode"] + EPISODES_A_BAG * bag,
        state=columns["state"],
        ctrl=columns["ctrl"],
        reward=columns["reward"],
        plans=tuple(plans),
        weights=tuple((float(t), content) for t, (_, content) in zip(times, weights, strict=True)),
        statuses=tuple(statuses),
    )


def _planner_status(message: Any, status: Any) -> PlannerStatus:
    stamp = message.header.stamp
    return PlannerStatus(stamp.sec + stamp.nanosec / NANOSECONDS, int(status.level), status.message)
