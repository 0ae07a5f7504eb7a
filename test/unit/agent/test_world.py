"""The world that is acted in: control periods, goals that change, and those that a user sets."""

from itertools import pairwise
from typing import ClassVar

import mujoco
import numpy as np
import pytest

from polo_ros.agent.agent import Agent
from polo_ros.agent.world import World
from polo_ros.arrays import Array
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks.humanoid_box import HumanoidBox

PERIOD = 5
GIVEN = np.array([3.0, 1.0, 0.45]), np.array([0.5, 0.5, 0.5, 0.5])


class Moving(HumanoidBox):
    """The box with a goal that wanders, and two physics steps per control period."""

    goal_period: ClassVar[int] = PERIOD
    substeps: ClassVar[int] = 2

    def draw_goal(self, data: mujoco.MjData, rng: np.random.Generator) -> None:
        data.mocap_pos[0, :2] = rng.uniform(2.0, 3.0, 2)


@pytest.fixture
def world() -> World:
    return World(Moving(), np.random.default_rng(0))


def neutral(world: World) -> Array:
    return world.task.neutral


def goal(world: World) -> Array:
    """The goal as it is now."""
    return world.state[-world.task.goal_size :]


def test_a_new_goal_comes_every_goal_period(world: World) -> None:
    goals = [goal(world)]
    changes = []
    for _ in range(3 * PERIOD):
        changes.append(world.step(neutral(world)))
        goals.append(goal(world))
    assert [index + 1 for index, changed in enumerate(changes) if changed] == [PERIOD, 2 * PERIOD, 3 * PERIOD]
    changed = [(one != other).any() for one, other in pairwise(goals)]
    assert changed == changes


def test_the_goals_are_seeded() -> None:
    def final_state(seed: int) -> Array:
        world = World(Moving(), np.random.default_rng(seed))
        for _ in range(PERIOD):
            world.step(neutral(world))
        return world.state

    np.testing.assert_array_equal(final_state(1), final_state(1))
    assert (final_state(1)[-7:] != final_state(2)[-7:]).any()


def test_a_users_goal_stays_until_the_reset(world: World) -> None:
    world.set_goal(*GIVEN)
    for _ in range(2 * PERIOD):
        assert not world.step(neutral(world))
    np.testing.assert_array_equal(goal(world), np.concatenate(GIVEN))
    world.reset()
    np.testing.assert_array_equal(goal(world)[:3], [2.5, 0.0, 0.45])
    assert [world.step(neutral(world)) for _ in range(PERIOD)][-1]


def test_a_step_is_a_control_period_of_physics(world: World) -> None:
    ctrl = np.full(world.task.model.nu, 0.3)
    state = world.state
    world.step(ctrl)
    assert world.data.time == pytest.approx(world.task.timestep) == 0.016
    data = mujoco.MjData(world.task.model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = state[:35], state[35:68], ctrl
    mujoco.mj_step(world.task.model, data, 2)
    np.testing.assert_array_equal(world.data.qpos, data.qpos)
    world.step(ctrl, substeps=1)
    assert world.data.time == pytest.approx(0.024)


def test_a_diverged_world_says_so_until_the_reset(world: World) -> None:
    assert not world.diverged
    world.data.qvel[:] = 1e12
    world.step(neutral(world))
    assert world.diverged
    world.reset()
    assert not world.diverged


def test_the_agent_plans_for_the_goal_of_the_moment() -> None:
    """Behind the planner's back: the state planned from holds the old goal until the world has changed it."""
    task = Moving()
    agent = Agent(task, Planner(task, PlannerConfig(horizon=4, rollouts=8, noise_knots=2), threads=1))
    goals = [tuple(agent.step().state[-7:]) for _ in range(2 * PERIOD + 1)]
    assert len(set(goals[:PERIOD])) == 1
    assert len(set(goals[PERIOD : 2 * PERIOD])) == 1
    assert len(set(goals)) == 3
