"""Which states an update labels, and what the labels hold."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from learners import CONFIG, contents, experience, fed, make_learner

from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks import Task
from polo_ros.tasks.state import set_state


def test_what_acting_earned_is_a_candidate_of_its_label(task: Task, tmp_path: Path) -> None:
    learner = fed(task, end_fraction=0.0, target_states=20)
    learner.update()
    tensors, _ = contents(learner, tmp_path / "file")
    states, _, rewards, episodes = experience(task, 40)
    visited = task.value_features(task.observe(states))
    discounts = CONFIG.discount ** np.arange(8)
    known = 0
    for features, candidates, terminal in zip(
        tensors["labels.features"],
        tensors["labels.rewards"],
        tensors["labels.terminal_features"],
        strict=True,
    ):
        visit = int(np.abs(visited - features).sum(axis=1).argmin())
        np.testing.assert_allclose(visited[visit], features, atol=1e-12)
        if visit + 8 < 40 and episodes[visit + 8] == episodes[visit]:
            assert candidates[0] == pytest.approx(float(rewards[visit : visit + 8] @ discounts))
            np.testing.assert_allclose(terminal[0], visited[visit + 8], atol=1e-12)
            known += 1
        else:
            assert candidates[0] == -1e12
    assert 0 < known < 20


def test_later_updates_label_terminal_states_of_rollouts_too(task: Task, tmp_path: Path) -> None:
    learner = fed(task, end_fraction=0.5)
    learner.update()
    terminal = task.value_features(task.observe(contents(learner, tmp_path / "file")[0]["terminal_states"]))
    learner.update()
    labelled = contents(learner, tmp_path / "file")[0]["labels.features"][6:]
    near = np.abs(labelled[:, None] - terminal[None]).sum(axis=-1).min(axis=1) < 1e-9
    assert near.tolist() == [False] * 3 + [True] * 3


def test_plans_from_terminal_states_start_from_controls_executed_later(task: Task, tmp_path: Path) -> None:
    learner = make_learner(task, target_horizon=2)  # two knots tell two controls exactly
    states, ctrl, rewards, episodes = experience(task, 80)
    learner.add(states, ctrl, rewards, episodes)  # the first 30 were replaced
    learner.update()
    first, _ = contents(learner, tmp_path / "file")
    visited, terminal = (
        task.value_features(task.observe(states)),
        task.value_features(task.observe(first["terminal_states"])),
    )
    origins = [int(np.abs(visited - features).sum(axis=1).argmin()) for features in first["labels.features"]]
    np.testing.assert_array_equal(
        first["terminal_transitions"], np.repeat(origins, CONFIG.target_rollouts) + 3
    )
    learner.update()
    tensors, _ = contents(learner, tmp_path / "file")
    data = mujoco.MjData(task.model)
    for features, candidates in zip(
        tensors["labels.features"][-3:], tensors["labels.rewards"][-3:], strict=True
    ):
        chosen = int(np.abs(terminal - features).sum(axis=1).argmin())
        start = min(int(first["terminal_transitions"][chosen]), 79)
        last = start // 20 * 20 + 19  # of its episode
        set_state(task.model, data, first["terminal_states"][chosen])
        earned = 0.0
        for step in range(2):
            done = ctrl[min(start + step, last)]
            earned += CONFIG.discount**step * float(task.reward(task.observe(task.state_of(data), done)))
            data.ctrl[:] = done
            mujoco.mj_step(task.model, data)
        assert candidates[1] == pytest.approx(earned, abs=1e-9)


def test_the_least_certain_states_of_a_draw_are_labelled(task: Task, tmp_path: Path) -> None:
    learner = fed(task, end_fraction=0.0, target_choice=3, prior_scale=1.0)
    features = task.value_features(task.observe(experience(task, 40)[0]))
    spread = learner.value().heads(features).std(axis=0)
    drawn = np.random.default_rng(seed_of(0, Stream.LEARNER)).integers(0, 40, 18)
    learner.update()
    labelled = contents(learner, tmp_path / "file")[0]["labels.features"]
    visits = [int(np.abs(features - row).sum(axis=1).argmin()) for row in labelled]
    assert sorted(spread[visits]) == sorted(spread[drawn])[-6:]


def test_plans_may_start_from_no_controls(task: Task, tmp_path: Path) -> None:
    earned = []
    for warm in (True, False):
        learner = fed(task, end_fraction=0.0, target_warm_start=warm)
        learner.update()
        earned.append(contents(learner, tmp_path / str(warm))[0]["labels.rewards"][:, 1])
    assert (earned[0] != earned[1]).all()
    visited = np.random.default_rng(seed_of(0, Stream.LEARNER)).integers(0, 40, 6)
    data = mujoco.MjData(task.model)
    for start, total in zip(visited, earned[1], strict=True):
        set_state(task.model, data, experience(task, 40)[0][start])
        data.ctrl[:] = task.neutral
        expected = 0.0
        for step in range(CONFIG.target_horizon):
            view = task.observe(task.state_of(data), data.ctrl.copy())
            expected += CONFIG.discount**step * float(task.reward(view))
            mujoco.mj_step(task.model, data)
        assert total == pytest.approx(expected, abs=1e-9)


def test_state_whose_rollouts_all_diverge_is_not_labelled(task: Task, tmp_path: Path) -> None:
    learner = make_learner(task, warmup_labels=1, end_fraction=0.0)
    states, ctrl, rewards, episodes = experience(task, 4)
    states[2, task.model.nq] = 1e12
    learner.add(states, ctrl, rewards, episodes)
    for _ in range(3):
        report = learner.update()
    tensors, _ = contents(learner, tmp_path / "file")
    assert 0 < len(tensors["labels.features"]) < 18
    assert np.abs(tensors["labels.features"]).max() < 1e3
    assert np.isfinite(report.loss) and all(np.isfinite(array).all() for array in tensors.values())
