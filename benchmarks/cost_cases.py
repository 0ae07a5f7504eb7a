"""Plans and learner updates of given sizes, as functions that can be timed repeatedly."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.learner import Learner
from polo_ros.learner.weights import load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.planner import Planner, PlannerConfig

LEARNER_TASK = "cartpole_swingup"
# value features of the humanoid, and labelled states to learn from
INPUTS, LABELS = 34, 2000
# states labelled by one update
LABELLING = 250

Case = Callable[[], float]
"""Does the work once and returns its wall time, in s."""


def plan_case(task_name: str, rollouts: int, horizon: int, threads: int) -> Case:
    """A plan from a start state of a task without a warm start, so that every call does the same work."""
    settings = settings_for(task_name)
    config = PlannerConfig(rollouts=rollouts, horizon=horizon)
    config.check()
    planner = Planner(settings.task, config, seed=0, threads=threads)
    if settings.planner_node.weights_file:
        planner.value, _ = load_value(settings.planner_node.weights_file, settings.task)
    state = settings.task.start_state(np.random.default_rng(0))

    def run() -> float:
        planner.reset()
        return planner.plan(state, 0.0).compute_time

    return run


def regression_case(**changes: Any) -> Case:
    """The gradient steps of an update with some settings of the learner's changed."""
    config = replace(LearnerConfig(), **changes)
    rng = np.random.default_rng(0)
    trainer = EnsembleTrainer(INPUTS, config, seed=0)
    features = rng.normal(size=(LABELS, INPUTS))
    targets = config.value_scale * rng.uniform(-1.0, 1.0, (config.ensemble_size, LABELS))
    trainer.fit_standardiser(features)
    return timed(lambda: trainer.update(features, targets, rng))


def buffer_case(visits: int) -> Case:
    """An update with so many transitions in the replay buffer.

    All other sizes are small, so that any dependence on the buffer is visible.
    """
    learner = small_learner(buffer_capacity=visits, target_states=4, label_capacity=4, target_rollouts=4)
    fill_buffer(learner, visits)
    return timed(learner.update)


def label_case(labels: int) -> Case:
    """An update with so many labelled states, of which four are new."""
    learner = small_learner(buffer_capacity=1000, target_states=LABELLING, label_capacity=labels)
    fill_buffer(learner, 1000)
    for _ in range(math.ceil(labels / LABELLING)):
        learner.update()
    learner.configure(replace(learner.config, target_states=4))
    return timed(learner.update)


def small_learner(**changes: Any) -> Learner:
    """A cart-pole learner whose targets and gradient steps take little time."""
    config = LearnerConfig(warmup_labels=1, gradient_steps=1, target_horizon=8, target_iterations=1)
    return Learner(settings_for(LEARNER_TASK).task, replace(config, **changes), threads=1)


def fill_buffer(learner: Learner, visits: int) -> None:
    """Fill the buffer with states around the start, in episodes of 200."""
    task, rng = learner.task, np.random.default_rng(0)
    states = task.start_state(rng) + 0.1 * rng.normal(size=(visits, task.state_size))
    ctrl = rng.uniform(task.control_low, task.control_high, (visits, task.model.nu))
    learner.add(states, ctrl, rng.uniform(size=visits), (np.arange(visits) // 200).astype(float))


def timed(work: Callable[[], object]) -> Case:
    """The work as a case."""

    def run() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return run
