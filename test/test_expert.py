"""Labels by an expert that acts: against plain steps and scalar sums, and where they come from."""

import dataclasses
from pathlib import Path

import mujoco
import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.expert import Expert, ends_of_rollouts
from polo_ros.learner.learner import Learner
from polo_ros.learner.targets import TargetSolver, end_settings, target_settings
from polo_ros.planner import PlannerConfig
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.task import STATE_SPEC
from polo_ros.value import ValueEnsemble

CONFIG = LearnerConfig(
    target_horizon=16,
    target_rollouts=12,
    target_iterations=1,
    target_states=4,
    expert_steps=5,
    end_horizon=8,
    ensemble_size=2,
    hidden=(8,),
    warmup_labels=1,
)
PLANNER = PlannerConfig(noise_sigma=0.5)


@pytest.fixture(params=["cartpole_swingup", "pointmass_box"])
def task(request: pytest.FixtureRequest) -> Task:
    """With one physics step a control period, and with several."""
    return make_task(request.param)


def starts(task: Task, count: int) -> Array:
    rng = np.random.default_rng(1)
    return np.array([task.start_state(rng) for _ in range(count)])


def ensemble(task: Task) -> ValueEnsemble:
    return EnsembleTrainer(task.feature_count, CONFIG, seed=0).value()


def solver(task: Task) -> TargetSolver:
    return TargetSolver(task, target_settings(CONFIG, PLANNER), seed=0, threads=1)


def period(task: Task, state: Array, ctrl: Array) -> Array:
    """A control period by plain `mj_step`."""
    data = mujoco.MjData(task.model)
    mujoco.mj_setState(task.model, data, state, STATE_SPEC)
    data.ctrl[:] = ctrl
    mujoco.mj_step(task.model, data, task.substeps)
    return task.state_of(data)


def test_labels_are_what_replanning_earned_from_each_state_on(task: Task) -> None:
    states, value = starts(task, 3), ensemble(task)
    executed = np.zeros((3, CONFIG.target_horizon, task.model.nu))
    labels = Expert(solver(task), CONFIG.expert_steps, threads=1).act(states, executed, value)

    planning = solver(task).mppi
    knots, elites = np.zeros((3, planning.config.knots, task.model.nu)), None
    rewards, features = np.zeros((5, 3)), []
    for step in range(5):
        solution = planning.optimise(states, knots, elites, value)
        ctrl = np.clip(solution.knots[:, 0], task.control_low, task.control_high)
        here = task.observe(states, ctrl)
        rewards[step] = task.reward(here)
        features.append(task.value_features(here))
        states = np.array([period(task, state, now) for state, now in zip(states, ctrl, strict=True)])
        knots, elites = planning.shift(1) @ solution.knots, planning.shift(1) @ solution.elites
    reached = task.value_features(task.observe(states))

    assert len(labels.features) == 12  # of the first three quarters of the way
    np.testing.assert_allclose(labels.features, np.concatenate(features[:4]), atol=1e-9)
    for step in range(4):
        for problem in range(3):
            row = 3 * step + problem
            earned = sum(0.99 ** (later - step) * rewards[later, problem] for later in range(step, 5))
            assert labels.rewards[row, 0] == pytest.approx(earned, abs=1e-9)
            assert labels.steps[row] == 5 - step
            np.testing.assert_allclose(labels.terminal_features[row, 0], reached[problem], atol=1e-9)


def test_a_state_that_diverges_leaves_no_labels_and_spoils_no_others() -> None:
    task = make_task("cartpole_swingup")
    states = starts(task, 3)
    states[1, task.model.nq] = 1e12
    executed = np.zeros((3, CONFIG.target_horizon, 1))
    labels = Expert(solver(task), CONFIG.expert_steps, threads=1).act(states, executed, ensemble(task))
    np.testing.assert_array_equal(labels.steps, np.repeat([5, 4, 3, 2], 2))
    assert np.isfinite(labels.rewards).all() and np.abs(labels.features).max() < 1e3


def test_ends_are_where_rollouts_lead_and_every_other_one_is_the_best(task: Task) -> None:
    states, value = starts(task, 4), ensemble(task)
    executed = np.random.default_rng(3).uniform(-0.5, 0.5, (4, CONFIG.end_horizon, task.model.nu))
    actor = TargetSolver(task, end_settings(CONFIG, PLANNER), seed=0, threads=1)
    ends, solved = ends_of_rollouts(actor, states, executed, value, np.random.default_rng(0))
    assert solved.all()

    again = TargetSolver(task, end_settings(CONFIG, PLANNER), seed=0, threads=1)
    solution = again.mppi.optimise(states, again.fit(executed), None, value)
    reached = again.mppi.rollouts.final_states().reshape(4, CONFIG.target_rollouts, -1)
    picked = [int(np.abs(reached[row] - ends[row]).sum(axis=1).argmin()) for row in range(4)]
    np.testing.assert_array_equal(ends, reached[np.arange(4), picked])
    best = solution.returns.argmax(axis=1)
    assert picked[0] == best[0] and picked[2] == best[2]


def test_the_learner_labels_all_that_the_expert_sees(tmp_path: Path) -> None:
    task = make_task("cartpole_swingup")
    config = dataclasses.replace(CONFIG, end_fraction=0.5)
    learner = Learner(task, config, PLANNER, seed=0, threads=1)
    states = starts(task, 30)
    learner.add(states, np.zeros((30, 1)), np.zeros(30), np.zeros(30))
    report = learner.update()
    assert report.target_std > 0.0 and np.isfinite(report.loss)
    learner.save(tmp_path / "checkpoint", epoch=7)
    labelled = read_tensors(tmp_path / "checkpoint", "the weights")[0]["labels.features"]
    visited = task.value_features(task.observe(states))
    assert len(labelled) == 4 * 4
    near = np.abs(labelled[:4, None] - visited).sum(axis=-1).min(axis=1) < 1e-9
    assert near.tolist() == [True, True, False, False]  # two visited states, then two ends
