"""The learner: when it learns, what an update reports and reads, and when it gives up."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from learners import CONFIG, assert_same, contents, experience, fed, make_learner

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.tasks import Task, View


def test_learning_from_nothing_is_refused(task: Task) -> None:
    with pytest.raises(PoloError, match="the replay buffer is empty; act before learning"):
        make_learner(task).update()


def test_update_learns_and_reports(task: Task) -> None:
    learner = fed(task)
    features = task.value_features(task.observe(experience(task, 10)[0]))
    before = learner.value().heads(features)
    first, second = learner.update(), learner.update()
    assert (first.sequence, second.sequence) == (1, 2) and learner.sequence == 2
    assert first.loss > 0.0 and np.isfinite(first.loss)
    assert not np.array_equal(learner.value().heads(features), before)


def test_targets_are_reported_in_reward_units(task: Task, tmp_path: Path) -> None:
    # with networks of value zero a target is the reward of the best candidate
    learner = fed(task, prior_scale=0.0)
    with torch.no_grad():
        for tensor in learner.ensemble.network.parameters():
            tensor.zero_()
    report = learner.update()
    best = contents(learner, tmp_path / "file")[0]["labels.rewards"].max(axis=1)
    assert report.target_mean == pytest.approx(best.mean())
    assert report.target_std == pytest.approx(best.std())


def test_an_anchor_draws_targets_towards_its_values(task: Task) -> None:
    anchor = fed(task)
    anchor.update()
    means = {}
    for share in (0.0, 0.25, 1.0):
        learner = fed(task, anchor=share)
        learner.anchor_to(anchor.value())
        means[share] = learner.update().target_mean
    assert abs(means[0.0] - means[1.0]) > 0.01
    assert means[0.25] == pytest.approx(0.75 * means[0.0] + 0.25 * means[1.0])
    features = task.value_features(task.observe(experience(task, 10)[0]))
    assert means[1.0] == pytest.approx(anchor.value().heads(features).mean(), rel=0.5)


def test_an_anchor_with_other_heads_is_refused(task: Task) -> None:
    other = make_learner(task, ensemble_size=3).value()
    with pytest.raises(PoloError, match="the anchor has 3 heads and the learner 2; set ensemble_size to 3"):
        make_learner(task).anchor_to(other)


def test_first_gradient_step_waits_for_enough_labels(task: Task) -> None:
    learner = fed(task, warmup_labels=13)  # six labels an update
    features = task.value_features(task.observe(experience(task, 10)[0]))
    before = learner.value().heads(features)
    for sequence in (1, 2):
        assert learner.update().sequence == sequence
        np.testing.assert_array_equal(learner.value().heads(features), before)
        np.testing.assert_array_equal(learner.value().feature_mean, 0.0)
    learner.update()
    assert not np.array_equal(learner.value().heads(features), before)
    assert not np.array_equal(learner.value().feature_mean, np.zeros(task.feature_count))


def test_features_are_standardised_once(task: Task) -> None:
    learner = fed(task)
    learner.update()
    first = learner.value()
    learner.add(*experience(task, 40))
    learner.update()
    np.testing.assert_array_equal(learner.value().feature_mean, first.feature_mean)
    np.testing.assert_array_equal(learner.value().feature_std, first.feature_std)


def test_nothing_is_learned_where_everything_diverges(task: Task) -> None:
    learner = make_learner(task, warmup_labels=1)
    states, ctrl, rewards, episodes = experience(task, 4)
    states[:, task.model.nq] = 1e12
    learner.add(states, ctrl, rewards, episodes)
    before = learner.value().network[0].weight
    for _ in range(2):
        learner.update()
    np.testing.assert_array_equal(learner.value().network[0].weight, before)


def test_features_are_computed_once_when_transitions_are_added(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed = []
    observe = task.observe

    def counted(states: Array, ctrl: Array | None = None) -> View:
        observed.append(len(states))
        return observe(states, ctrl)

    monkeypatch.setattr(task, "observe", counted)
    learner = make_learner(task)
    states, ctrl, rewards, episodes = experience(task, 40)
    learner.add(states[:30], ctrl[:30], rewards[:30], episodes[:30])
    given = np.arange(10.0 * task.feature_count).reshape(10, -1)
    learner.add(states[30:], ctrl[30:], rewards[30:], episodes[30:], given)
    for _ in range(3):
        learner.update()
    assert observed == [30]
    expected = task.value_features(observe(states[:30], ctrl[:30]))
    np.testing.assert_array_equal(learner.buffer.column("features"), np.concatenate([expected, given]))


def test_an_update_reads_the_labels_without_copying(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = fed(task, label_capacity=13)
    shared = []
    update = learner.ensemble.update

    def watched(features: Array, targets: Array, rng: np.random.Generator) -> float:
        shared.append(np.shares_memory(features, learner.labels.column("features")))
        return update(features, targets, rng)

    monkeypatch.setattr(learner.ensemble, "update", watched)
    for _ in range(6):  # six labels each: the buffer is full after three
        learner.update()
    assert shared == [True] * 6


def test_same_seed_learns_the_same(task: Task, tmp_path: Path) -> None:
    first, second, other = (fed(task, seed, target_choice=2) for seed in (0, 0, 1))
    for learner in (first, second, other):
        for _ in range(3):
            learner.update()
    assert_same(first, second, tmp_path)
    with pytest.raises(AssertionError):
        assert_same(first, other, tmp_path)


@pytest.mark.parametrize("size", [1e9, float("nan")])
def test_exploded_values_name_the_task(task: Task, size: float) -> None:
    learner = fed(task)
    learner.update()
    with torch.no_grad():
        list(learner.ensemble.network.parameters())[-1].add_(size)
    with pytest.raises(ExplodedError, match="the value function of cartpole_swingup has exploded"):
        learner.update()


def test_settings_change_live(task: Task) -> None:
    slow, fast = fed(task), fed(task)
    before = slow.value().network[0].weight
    slow.configure(dataclasses.replace(CONFIG, learning_rate=1e-5))
    fast.configure(dataclasses.replace(CONFIG, learning_rate=1e-2, gradient_steps=1))
    for learner in (slow, fast):
        learner.update()
    moved = [np.abs(learner.value().network[0].weight - before).max() for learner in (slow, fast)]
    # Adam's first steps have the size of the rate
    assert moved[0] == pytest.approx(4e-5, rel=0.05) and moved[1] == pytest.approx(1e-2, rel=0.05)
    slow.configure(dataclasses.replace(CONFIG, target_states=9))
    assert slow.update().sequence == 2


def test_networks_that_no_reader_takes_have_exploded(task: Task) -> None:
    learner = fed(task)
    learner.update()
    learner.ensemble.feature_mean = np.full(task.feature_count, 1e10)
    with pytest.raises(ExplodedError, match=r"the values of cartpole_swingup .* in feature_mean, beyond"):
        learner.update()
