"""Labels that workers elsewhere make: equal wherever they are made, once each, and late."""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from background_learners import Make, rows, started, wait_for
from background_learners import learn as learn_in_background
from label_links import SilentLink, WorkingLink
from learners import CONFIG, assert_same, contents, experience

from polo_ros.errors import PoloError
from polo_ros.learner import remote_labels
from polo_ros.learner.label_link import Failed, Start, Workers
from polo_ros.learner.learner import Learner
from polo_ros.learner.ports import Log
from polo_ros.tasks import Task

# 10 states are three batches
REMOTE = dataclasses.replace(
    CONFIG, labels="ray", labels_batch=4, target_states=10, label_capacity=60, target_iterations=2
)


class Setup:
    """Makes learners whose workers are a link of the test's.

    Attributes:
      links: that were made, in their order.
      said: sentences of the learners.
    """

    def __init__(self, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        self.links: list[SilentLink] = []
        self.said: list[str] = []
        self._task, self._monkeypatch = task, monkeypatch

    def learner(self, link: Callable[[Start], SilentLink], seed: int = 0) -> Learner:
        def make(start: Start) -> SilentLink:
            self.links.append(link(start))
            return self.links[-1]

        self._monkeypatch.setattr(remote_labels, "RayLink", make)
        made = Learner(self._task, REMOTE, seed, 1, Log(self.said.append, self.said.append))
        made.add(*experience(self._task, 40))
        return made


@pytest.fixture
def setup(task: Task, monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(task, monkeypatch)


def nobody(start: Start) -> SilentLink:
    """No worker ever comes: labels are made in this process."""
    return SilentLink(start, workers=0)


def learn(learner: Learner, updates: int) -> Learner:
    """Make updates, and wait for their labels."""
    for _ in range(updates):
        learner.update()
    learner.settle()
    return learner


def test_labels_are_equal_wherever_and_in_whatever_order_they_are_made(setup: Setup, tmp_path: Path) -> None:
    remote = learn(setup.learner(WorkingLink), 4)
    assert len(remote.labels) == remote.labels.added == 40
    assert_same(remote, learn(setup.learner(nobody), 4), tmp_path)
    # no two batches have the same noise
    rewards = contents(remote, tmp_path / "file")[0]["labels.rewards"][:, 2:]
    assert len(np.unique(rewards)) > 0.99 * rewards.size


def test_labels_come_an_update_late_and_are_bootstrapped_with_the_values_of_the_day(setup: Setup) -> None:
    learner = setup.learner(WorkingLink)
    learner.update()
    assert (learner.sequence, len(learner.labels), learner.trained) == (1, 0, False)
    learner.update()
    assert (learner.sequence, len(learner.labels), learner.trained) == (2, 10, True)
    # the search had the values of its own update; targets have those of now
    weights = setup.links[0].weights
    assert not np.array_equal(weights[1].value.network[0].weight, learner.value().network[0].weight)
    assert sorted(weights) == [1, 2]


def test_an_update_that_is_given_up_loses_no_labels(setup: Setup, tmp_path: Path) -> None:
    learner = setup.learner(SilentLink)
    learner.update()

    def give_up() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        learner.update(give_up)
    assert learner.sequence == 1
    setup.links[0].messages.append(Workers(0))
    learner.settle()
    assert len(learner.labels) == 20


def test_each_batch_is_used_once(setup: Setup, tmp_path: Path) -> None:
    learner = setup.learner(WorkingLink)
    learner.update()
    link = setup.links[0]
    assert isinstance(link, WorkingLink)
    first = list(link.batches)
    for batch in (first[0], first[0], first[1]):
        link.answer(batch)
    learner.update()
    for batch in first:  # a worker that was believed lost answers after all
        link.answer(batch)
    learn(learner, 1)
    assert learner.labels.added == 30
    assert_same(learner, learn(setup.learner(nobody), 3), tmp_path)


def test_batch_that_fails_on_a_worker_is_labelled_in_this_process(setup: Setup, tmp_path: Path) -> None:
    learner = setup.learner(WorkingLink)
    learner.update()
    link = setup.links[0]
    link.batches = [batch for batch in link.batches if batch.number != 1]
    link.messages.append(Failed(1, "out of memory"))
    learn(learner, 2)
    assert link.cancelled == [1]
    assert setup.said[-1] == (
        "batch 1 of labels failed on a worker (out of memory); it is labelled in this process"
    )
    assert_same(learner, learn(setup.learner(nobody), 3), tmp_path)


def test_when_the_link_is_lost_this_process_goes_on_until_there_is_another(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(remote_labels, "time", SimpleNamespace(monotonic=lambda: now))
    learner = setup.learner(WorkingLink)
    learner.update()
    setup.links[0].end()
    learner.update()
    assert setup.said == [
        "labels are made by workers on Ray, at present 2",
        "the cluster is gone; labels are made in this process",
    ]
    assert setup.links[0].closed and len(learner.labels) == 10
    now += remote_labels.FIRST_RETRY_S - 1.0
    learner.update()
    assert len(setup.links) == 1
    now += 1.0
    learner.update()
    # the batches that were open are handed out again, before those of this update
    assert setup.links[1].sent == [6, 7, 8, 9, 10, 11]
    learner.settle()
    assert_same(learner, learn(setup.learner(nobody), 4), tmp_path)


def test_workers_that_go_and_come_are_said_once(setup: Setup) -> None:
    learner = setup.learner(SilentLink)
    learner.update()
    setup.links[0].messages.extend([Workers(1, "a worker on there was lost"), Workers(1), Workers(0)])
    learner.settle()
    assert setup.said == [
        "labels are made by workers on Ray, at present 2",
        "a worker on there was lost",
        "no worker on Ray is left; labels are made in this process until one is back",
    ]
    assert len(learner.labels) == 10


def test_without_ray_the_extra_is_named_and_learning_goes_on(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    learner = learn(setup.learner(WorkingLink), 2)
    assert len(learner.labels) == 20 and not setup.links
    assert setup.said == [
        "labels: ray needs the package ray, which is not installed: pip install 'polo_ros[ray]'; "
        "labels are made in this process"
    ]


def test_resumed_learner_equals_an_uninterrupted_one(setup: Setup, tmp_path: Path) -> None:
    whole = learn(setup.learner(WorkingLink), 2)
    whole.save(tmp_path / "file", 7)
    resumed = setup.learner(WorkingLink)
    resumed.update()  # what is open is forgotten, and its numbers are given again
    resumed.load(tmp_path / "file")
    assert setup.links[1].closed
    assert_same(learn(whole, 2), learn(resumed, 2), tmp_path)


def test_a_checkpoint_of_labels_in_process_is_continued(setup: Setup, tmp_path: Path) -> None:
    usual = Learner(setup.learner(nobody).task, dataclasses.replace(REMOTE, labels="in_process"), 0, 1)
    usual.add(*experience(usual.task, 40))
    learn(usual, 1).save(tmp_path / "file", 7)
    remote = setup.learner(WorkingLink)
    remote.load(tmp_path / "file")
    learn(remote, 1).save(tmp_path / "other", 7)
    usual.load(tmp_path / "other")
    assert learn(usual, 1).labels.added == 30


def test_unusable_count_of_batches_is_refused(setup: Setup, tmp_path: Path) -> None:
    learner = learn(setup.learner(nobody), 1)
    learner.save(tmp_path / "file", 7)
    tensors = contents(learner, tmp_path / "before")
    checkpoint = learner.load(tmp_path / "file")
    checkpoint.metadata["label_batches"] = "-1"  # type: ignore[index]
    with pytest.raises(PoloError, match="label_batches"):
        learner.restore(checkpoint)
    assert contents(learner, tmp_path / "after")[1] == tensors[1]


def test_background_learner_passes_sentences_on_and_ends_its_workers(
    setup: Setup, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.learner(WorkingLink)  # the link of every learner from now on
    learner, published = make(labels="ray", warmup_labels=1)
    started(learner)
    learner.accept(True)
    learner.add(rows())
    wait_for(lambda: learner.progress()[1]["weights_sequence"] == 1)
    setup.links[0].messages.append(Workers(2, "a worker on there was lost"))
    learn_in_background(learner, published)
    assert learner.said == ["a worker on there was lost"]  # type: ignore[attr-defined]
    learner.close()
    assert setup.links[0].closed
