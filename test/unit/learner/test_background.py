"""Learning on a thread of its own: waits for its schema, pauses, gives up, and says what is wrong."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from background_learners import DEADLINE, Make, hold_updates, learn, rows, started, wait_for

from polo_ros.errors import PoloError
from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.checkpoint import read_tensors


def test_it_learns_once_its_experience_is_accepted(make: Make) -> None:
    learner, published = make()
    learner.add(rows())
    learner.accept(True)
    published.wait(1)
    learner.add(rows(3))
    learner.add(rows(1))
    published.wait(2)
    assert [origin.sequence for origin in published.origins] == [1, 2]
    text, values = learner.progress()
    assert (text, values["weights_sequence"], values["buffer"]) == ("learning", 2, 8)


def test_nothing_is_published_before_the_first_gradient_step(make: Make) -> None:
    learner, published = make(warmup_labels=5)  # two labels an update
    started(learner)
    learner.accept(True)
    for updates in (1, 2):
        learner.add(rows())
        wait_for(lambda updates=updates: learner.progress()[1]["weights_sequence"] == updates)
        assert learner.progress()[0] == f"warm-up: {2 * updates} of 5 labels"
    assert not published.origins
    learner.add(rows())
    published.wait(1)
    assert published.origins[0].sequence == 3


def test_loaded_weights_are_published_at_once(make: Make, tmp_path: Path) -> None:
    first, published = make(tmp_path / "learner.safetensors")
    learn(first, published)
    first.close()
    _, loaded = make(weights_file=str(tmp_path / "learner.safetensors"))
    loaded.wait(1)
    assert loaded.origins[0].sequence == 1


@pytest.mark.parametrize("resumed", [False, True])
def test_weights_are_the_anchor_whether_or_not_there_is_a_checkpoint(
    make: Make, tmp_path: Path, resumed: bool
) -> None:
    weights = tmp_path / "weights.safetensors"
    first, published = make(weights)
    learn(first, published)
    first.close()
    checkpoint = tmp_path / "learner.safetensors"
    losses = []
    for anchor in (0.0, 1.0):
        if resumed:
            shutil.copy(weights, checkpoint)
        learner, published = make(checkpoint, weights_file=str(weights), anchor=anchor)
        published.wait(1)  # what was loaded
        learn(learner, published)
        losses.append(float(learner.progress()[1]["loss"]))
        learner.close()
        checkpoint.unlink()
    assert losses[0] > 10.0 * losses[1], "with anchor 1 the values are what they should be"


def test_experience_of_another_model_is_dropped(make: Make) -> None:
    learner, published = make()
    started(learner)
    learner.add(rows())
    learner.accept(False)
    learner.accept(True)
    learner.add(rows(3))
    learner.save().result(DEADLINE)  # waits for the current update
    assert not published.origins


def test_each_robot_is_accepted_by_itself_and_begins_a_stream_of_its_own(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learner.accept(True, "robot1")
    learner.accept(False, "robot2")
    learner.add(rows(2), "robot3")  # waits
    learner.add(rows(3), "robot1")
    learner.add(rows(1), "robot1")
    published.wait(1)
    learner.accept(True, "robot3")
    learner.accept(False, "robot2")  # costs the others nothing
    learner.add(rows(2), "robot3")
    published.wait(2)
    learner.accept(True, "robot1")  # its planner has been started again
    learner.add(rows(), "robot1")
    published.wait(3)
    learner.save().result(DEADLINE)
    assert streams(path) == [4, 4, 4]
    learner.load().result(DEADLINE)
    learner.add(rows(), "robot1")  # after a gap
    published.wait(5)
    learner.close()
    assert streams(path) == [4, 4, 4, 4]


def streams(path: Path) -> list[int]:
    """How many transitions of each stream, by its number, a checkpoint has."""
    tensors, _ = read_tensors(path, "the checkpoint")
    _, counts = np.unique(tensors["buffer.stream"], return_counts=True)
    return sorted(counts.tolist())


def test_pausing_keeps_experience_for_later(make: Make) -> None:
    learner, published = make()
    started(learner)
    learner.accept(True)
    learner.pause(True)
    learner.add(rows())
    assert learner.progress()[0] == "paused"
    assert not published.origins
    learner.pause(False)
    published.wait(1)


def test_any_failure_of_the_thread_is_reported(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    learner.save().result(DEADLINE)
    good = path.read_bytes()
    learner.check()
    learner.add({**rows(), "ctrl": np.zeros((4, 7))})  # no message can hold this
    wait_for(lambda: learner.failure)
    with pytest.raises(PoloError, match=r"learning thread ended with ValueError.*; start the learner again"):
        learner.check()
    assert any("Traceback" in text for text in learner.said)  # type: ignore[attr-defined]
    learner.close()
    assert path.read_bytes() == good
    assert (tmp_path / "learner.failed.safetensors").exists()


def test_closing_gives_up_the_update_at_hand_and_keeps_what_was_learned(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of the humanoid takes up to ten seconds on a busy machine."""
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learner.accept(True)
    learner.add(rows())
    published.wait(1)
    rounds, closed = hold_updates(monkeypatch)
    learner.add(rows())
    assert rounds.wait(DEADLINE)
    closing = threading.Thread(target=learner.close)
    closing.start()
    while learner._running:  # the update must not end before it is to be given up
        time.sleep(0.001)
    closed.set()
    closing.join(DEADLINE)
    assert learner.failure is None
    _, resumed = make(path)
    resumed.wait(1)
    assert resumed.origins[0].sequence == 1
    assert len(published.origins) == 1


def test_closing_does_not_wait_for_a_learner_that_is_being_made(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow_start(_: BackgroundLearner) -> Any:
        begun.set()
        assert go_on.wait(DEADLINE)
        raise PoloError("closed")

    monkeypatch.setattr(BackgroundLearner, "_start", slow_start)
    learner, _ = make()
    assert begun.wait(DEADLINE)
    learner.close()  # would wait for ever
    go_on.set()


def test_a_checkpoint_is_saved_after_the_update_at_hand_and_nobody_waits(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's executor would stand still meanwhile, and with it its diagnostics."""
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    in_update, go_on = hold_updates(monkeypatch)
    learner.add(rows())
    assert in_update.wait(DEADLINE)
    saved = learner.save()
    assert not saved.done() and learner.progress()[0] == "learning"
    go_on.set()
    assert saved.result(DEADLINE) == (True, f"saved update 2 to {path}")
