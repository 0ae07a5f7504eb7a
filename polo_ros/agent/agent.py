"""Algorithm 1 of the paper in one process: plan, act, store, learn."""

import json
from dataclasses import dataclass

import numpy as np

from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.learner.checkpoint import Checkpoint
from polo_ros.learner.learner import Learner, UpdateReport
from polo_ros.planner import Plan, Planner, PlanReport
from polo_ros.tasks.task import Task


@dataclass(frozen=True)
class Step:
    """One control period of an episode.

    Attributes:
      episode, time: the number of the episode, and the simulated time within it, in s.
      state: (state_size,), planned from.
      ctrl: (nu,), the control applied.
      report: of the plan.
      achieved: whether the state fulfils the task.
      update: of the learner, if it made one in this step.
    """

    episode: int
    time: float
    state: Array
    ctrl: Array
    report: PlanReport
    achieved: bool
    update: UpdateReport | None


class Agent:
    """A planner, its world and a learner.

    The world has the same model as the planner, as in the paper.

    Args:
      task: gives the model, start states and goals.
      planner: acts.
      learner: makes an update every `update_period` steps; None to act only.
      seed: of the start states.
    """

    def __init__(self, task: Task, planner: Planner, learner: Learner | None = None, seed: int = 0) -> None:
        self.task = task
        self.planner = planner
        self.learner = learner
        self.steps = 0
        self.episode = -1
        self.world = World(task, np.random.default_rng(seed))
        self._begin_episode()

    def reset(self) -> None:
        """Begin a new episode from a start state."""
        self.world.reset()
        self._begin_episode()

    def _begin_episode(self) -> None:
        self.episode += 1
        self.planner.reset()
        self._followed: Plan | None = None

    def counters(self) -> dict[str, str]:
        """What `resume` needs beside the learner's own checkpoint, at the end of an episode."""
        return {
            "agent_steps": str(self.steps),
            "agent_episode": str(self.episode),
            "agent_rng": json.dumps(self.world.rng.bit_generator.state),
            "planner_rng": json.dumps(self.planner.rng.bit_generator.state),
        }

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue with the next episode after the saved counters, as if never interrupted.

        The learner is restored by its own `load`.

        Raises:
          PoloError: a counter is missing or unusable; nothing is changed.
        """
        assert self.learner is not None
        steps, episode = checkpoint.count("agent_steps"), checkpoint.count("agent_episode")
        world, planner = checkpoint.generator("agent_rng"), checkpoint.generator("planner_rng")
        self.steps, self.episode = steps, episode
        self.world.rng.bit_generator.state = world
        self.planner.rng.bit_generator.state = planner
        if self.learner.sequence:
            self.planner.value = self.learner.value()
        self.reset()

    def step(self) -> Step:
        """Plan, act for one control period, store the transition and, when an update is due, learn."""
        state, now = self.world.state, float(self.world.data.time)
        report = self.planner.plan(state, now)
        ctrl = self._control(report, now)
        self.world.step(ctrl)
        self.steps += 1
        update = self._learn(state, ctrl, report)
        achieved = bool(self.task.achieved(report.view))
        return Step(self.episode, now, state, ctrl, report, achieved, update)

    def _control(self, report: PlanReport, now: float) -> Array:
        """The control (nu,) at a time in s, as a controller follows plans.

        A plan without a valid rollout is not followed: the last valid plan is followed to its end, and after
        that the neutral control is applied.
        """
        if report.usable:
            self._followed = report.plan
        elif self._followed is None or self._followed.has_ended(now):
            self.planner.reset()  # the old plan as warm start may be why all diverge
            return self.task.neutral
        return self.planner.control(self._followed, now)

    def _learn(self, state: Array, ctrl: Array, report: PlanReport) -> UpdateReport | None:
        learner = self.learner
        if learner is None:
            return None
        reward, episode = np.array([report.reward]), np.array([float(self.episode)])
        learner.add(state[None], ctrl[None], reward, episode, report.features[None])
        if self.steps % learner.config.update_period:
            return None
        update = learner.update()
        self.planner.value = learner.value()
        return update
