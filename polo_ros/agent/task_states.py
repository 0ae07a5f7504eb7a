"""States that a task is looked at in: its start, its neutral pose, and those of sampled rollouts."""

from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.parameters.settings import Settings
from polo_ros.planner.mppi import MPPI
from polo_ros.tasks.task import Task
from polo_ros.tasks.view import View

# how long the neutral control acts, in s
SETTLING_TIME = 1.0
SEED = 0


@dataclass(frozen=True)
class TaskStates:
    """Views of three kinds of states.

    Attributes:
      task: what is looked at.
      start: a start state, (...) is ().
      settled: the state that the neutral control has led to after `SETTLING_TIME`, ().
      sampled: those of the planner's rollouts from the start, (K, H + 1).
      diverged: the share of these rollouts that diverged, 0 to 1.
      data: MuJoCo's data at the start and at the settled state, with contacts.
    """

    task: Task
    start: View
    settled: View
    sampled: View
    diverged: float
    data: tuple[mujoco.MjData, mujoco.MjData]

    @classmethod
    def of(cls, settings: Settings) -> "TaskStates":
        """The states of seed 0, and the first rollouts that the planner with these settings would sample."""
        task = settings.task
        world = World(task, np.random.default_rng(SEED))
        first = world.state
        start = forwarded(task, world.data)
        for _ in range(max(round(SETTLING_TIME / task.timestep), 1)):
            world.step(task.neutral)
        settled = forwarded(task, world.data)
        sampler = MPPI(task, settings.planner, SEED, settings.planner_node.rollout_threads)
        knots = np.tile(task.neutral, (1, settings.planner.knots, 1))
        solution = sampler.iterate(first[None], knots, np.empty((1, 0, *knots.shape[1:])), None)
        valid = solution.valid[0]
        view = solution.view
        sampled = task.view(view.sensordata[0][valid].copy(), view.ctrl[0][valid])
        return cls(
            task,
            task.observe(first, task.neutral),
            task.observe(world.state, task.neutral),
            sampled,
            1.0 - float(valid.mean()),
            (start, settled),
        )

    @cached_property
    def views(self) -> dict[str, View]:
        """The three views by what they are called in reports."""
        return {"start": self.start, "neutral": self.settled, "sampled": self.sampled}

    @cached_property
    def contributions(self) -> dict[str, Array]:
        """Weight times value of each reward term in the sampled states, (K, H + 1)."""
        terms = self.task.reward_terms(self.sampled)
        return {name: weight * terms[name] for name, weight in self.task.weights.items()}

    def shares(self) -> dict[str, tuple[float, float]]:
        """What each term contributes to the reward, and to what tells rollouts apart, each summing to 1.

        The first is the share of the mean absolute contribution; the second that of the standard deviation
        over rollouts of a rollout's sum, which is what the planner chooses by.
        """
        sizes = {name: float(np.abs(part).mean()) for name, part in self.contributions.items()}
        spreads = {name: float(part.sum(axis=1).std()) for name, part in self.contributions.items()}
        size, spread = sum(sizes.values()) or 1.0, sum(spreads.values()) or 1.0
        return {name: (sizes[name] / size, spreads[name] / spread) for name in sizes}


def forwarded(task: Task, data: mujoco.MjData) -> mujoco.MjData:
    """A copy with all derived quantities, contacts included."""
    copied = mujoco.MjData(task.model)
    mujoco.mj_copyData(copied, task.model, data)
    copied.ctrl[:] = task.neutral
    mujoco.mj_forward(task.model, copied)
    return copied
