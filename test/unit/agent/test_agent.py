"""Algorithm 1 in one process: it acts as planned, learns on time, repeats and resumes to the bit."""

import dataclasses
from pathlib import Path

import mujoco
import numpy as np
import pytest
from values import nowhere_finite

from polo_ros.agent.agent import Agent, Step
from polo_ros.errors import PoloError
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.planner import Planner, PlannerConfig
from polo_ros.tasks import Task, make_task
from polo_ros.tasks.state import set_state

PLANNER = PlannerConfig(horizon=16, rollouts=8, noise_sigma=0.5)
LEARNER = LearnerConfig(
    update_period=5,
    gradient_steps=4,
    batch_size=8,
    target_states=6,
    warmup_labels=1,
    target_horizon=8,
    target_rollouts=6,
    target_iterations=1,
    ensemble_size=2,
    hidden=(8,),
)


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task("cartpole_swingup")


def make_agent(task: Task, seed: int = 0, learning: bool = True, period: int = 5, threads: int = 1) -> Agent:
    config = dataclasses.replace(LEARNER, update_period=period)
    learner = Learner(task, config, seed, threads) if learning else None
    return Agent(task, Planner(task, PLANNER, seed, threads), learner, seed)


def episodes_of(agent: Agent, episodes: int, steps: int = 12) -> list[Step]:
    """An agent's next episodes, a reset before each but the first."""
    taken = []
    for episode in range(episodes):
        if episode:
            agent.reset()
        taken += [agent.step() for _ in range(steps)]
    return taken


def assert_same(first: list[Step], second: list[Step]) -> None:
    """Two runs are the same to the bit, but for the time they took."""
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.ctrl, other.ctrl)
        np.testing.assert_array_equal(one.report.plan.knots, other.report.plan.knots)
        assert (one.episode, one.time, one.update) == (other.episode, other.time, other.update)
        assert (one.report.value, one.report.best_return) == (other.report.value, other.report.best_return)


def test_a_seeded_run_repeats_to_the_bit(task: Task) -> None:
    first, second, other = (
        episodes_of(make_agent(task, seed, threads=threads), episodes=2)
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    assert_same(first, second)
    with pytest.raises(AssertionError):
        assert_same(first, other)


def test_the_world_has_the_planners_model(task: Task) -> None:
    steps = episodes_of(make_agent(task, learning=False), episodes=1)
    data = mujoco.MjData(task.model)
    set_state(task.model, data, steps[0].state)
    for step in steps:
        np.testing.assert_allclose(task.state_of(data), step.state, atol=1e-12)
        assert step.time == pytest.approx(data.time, abs=1e-9)
        data.ctrl[:] = step.ctrl
        mujoco.mj_step(task.model, data)
    assert np.abs(task.state_of(data) - steps[0].state).max() > 0.1


def test_applied_control_is_the_plans_first(task: Task) -> None:
    for step in episodes_of(make_agent(task, learning=False), episodes=1):
        np.testing.assert_array_equal(step.ctrl, step.report.plan.knots[0])
        assert step.report.reward == pytest.approx(float(task.reward(task.observe(step.state, step.ctrl))))


def test_episodes_are_counted_and_start_afresh(task: Task) -> None:
    agent = make_agent(task)
    steps = episodes_of(agent, episodes=3, steps=4)
    assert [step.episode for step in steps] == [0] * 4 + [1] * 4 + [2] * 4
    starts = [step for step in steps if step.time == 0.0]
    assert len(starts) == 3
    assert len({tuple(step.state) for step in starts}) == 3
    assert all(abs(step.state[1] - np.pi) < 0.1 for step in starts)
    assert agent.steps == 12


def test_agent_learns_every_update_period(task: Task) -> None:
    agent = make_agent(task)
    steps = episodes_of(agent, episodes=2, steps=12)
    learned = [number for number, step in enumerate(steps, start=1) if step.update is not None]
    assert learned == [5, 10, 15, 20]  # counted over episodes
    assert [step.update.sequence for step in steps if step.update is not None] == [1, 2, 3, 4]
    assert [step.report.value != 0.0 for step in steps] == [False] * 5 + [True] * 19


def test_the_features_of_the_plan_are_stored(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = make_agent(task)
    monkeypatch.setattr(task, "observe", None)  # nothing is computed a second time
    steps = episodes_of(agent, episodes=1, steps=4)
    assert agent.learner is not None
    expected = [task.value_features(step.report.view) for step in steps]
    np.testing.assert_array_equal(agent.learner.buffer.column("features"), expected)


def test_planner_takes_what_was_learned(task: Task) -> None:
    agent = make_agent(task)
    episodes_of(agent, episodes=1, steps=10)
    assert agent.learner is not None and agent.planner.value is not None
    features = task.value_features(task.observe(task.start_state(np.random.default_rng(0))))
    np.testing.assert_array_equal(agent.planner.value.heads(features), agent.learner.value().heads(features))


def test_update_period_changes_live(task: Task) -> None:
    agent = make_agent(task, period=100)
    assert agent.learner is not None
    episodes_of(agent, episodes=1, steps=6)
    agent.learner.configure(dataclasses.replace(LEARNER, update_period=2))
    assert [agent.step().update is not None for _ in range(4)] == [False, True, False, True]


def test_experience_is_what_the_agent_did(task: Task) -> None:
    agent = make_agent(task)
    steps = episodes_of(agent, episodes=2)
    assert agent.learner is not None
    buffer = agent.learner.buffer
    np.testing.assert_array_equal(buffer.column("state"), [step.state for step in steps])
    np.testing.assert_array_equal(buffer.column("ctrl"), [step.ctrl for step in steps])
    np.testing.assert_array_equal(buffer.column("reward"), [step.report.reward for step in steps])
    np.testing.assert_array_equal(buffer.column("episode"), [step.episode for step in steps])


def test_agent_without_a_learner_only_acts(task: Task) -> None:
    agent = make_agent(task, learning=False)
    assert all(step.update is None for step in episodes_of(agent, episodes=1))
    assert agent.planner.value is None


def test_agent_that_learns_before_it_can_says_so(task: Task) -> None:
    agent = make_agent(task)
    assert agent.learner is not None
    with pytest.raises(PoloError, match="act before learning"):
        agent.learner.update()


@pytest.mark.parametrize("period", [5, 20])  # 20: the first update comes after the interruption
def test_resumed_agent_goes_on_to_the_bit(task: Task, tmp_path: Path, period: int) -> None:
    whole = make_agent(task, period=period)
    episodes_of(whole, episodes=1)
    assert whole.learner is not None
    whole.learner.save(tmp_path / "checkpoint", epoch=7, extra=whole.counters())
    resumed = make_agent(task, seed=99, period=period)
    assert resumed.learner is not None
    resumed.resume(resumed.learner.load(tmp_path / "checkpoint"))
    whole.reset()
    assert resumed.steps == whole.steps == 12
    assert_same(episodes_of(whole, episodes=2), episodes_of(resumed, episodes=2))


def test_plans_that_found_nothing_are_not_followed(task: Task) -> None:
    """Shifted for ever, the last plan would push for ever."""
    agent = make_agent(task, learning=False)
    good = agent.step().report.plan
    agent.planner.value = nowhere_finite(task)
    while not good.has_ended(float(agent.world.data.time)):
        now = float(agent.world.data.time)
        step = agent.step()
        assert step.report.valid_rollouts == 0
        np.testing.assert_array_equal(step.ctrl, agent.planner.control(good, now))
    for _ in range(3):
        np.testing.assert_array_equal(agent.step().ctrl, task.neutral)
    agent.planner.value = None
    assert agent.step().ctrl.any()
