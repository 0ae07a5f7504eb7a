"""One seed, and a stream of random numbers for each that draws."""

from itertools import combinations

import numpy as np

from polo_ros.agent.agent import Agent
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks import make_task


def test_streams_are_independent_and_repeat() -> None:
    drawn = [np.random.default_rng(seed_of(7, stream)).random(4) for stream in Stream]
    drawn.append(np.random.default_rng(7).random(4))  # of start states and goals
    for first, second in combinations(drawn, 2):
        assert not np.isin(first, second).any()
    np.testing.assert_array_equal(drawn[0], np.random.default_rng(seed_of(7, Stream.PLANNER)).random(4))


def test_start_states_actor_and_labels_draw_from_streams_of_their_own() -> None:
    task = make_task("cartpole_swingup")
    learner = Learner(task, LearnerConfig(), seed=7)
    agent = Agent(task, Planner(task, PlannerConfig(), seed=7), learner, seed=7)
    generators = (agent.world.rng, agent.planner.rng, learner._pool.solver.mppi.rng)
    drawn = [generator.random(4) for generator in generators]
    for first, second in combinations(drawn, 2):
        assert not np.isin(first, second).any()
