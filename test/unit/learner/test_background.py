"""Learning on a thread of its own: waits for its schema, pauses, saves, and says what is wrong."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.background import BackgroundLearner, BackgroundOutputs, BackgroundSettings
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.learner.weights import Origin, decode_value, encode_value
from polo_ros.planner.mppi import MPPI
from polo_ros.tasks import Task, make_task

DEADLINE = 60.0  # s of wall time; only a failing test takes as long
SMALL = LearnerConfig(
    warmup_labels=1, gradient_steps=1, target_states=2, update_period=4, target_horizon=4, target_rollouts=8
)


class Published:
    """The weights that a learner publishes, as origins."""

    def __init__(self, task: Task) -> None:
        self.origins: list[Origin] = []
        self._task = task
        self._condition = threading.Condition()

    def add(self, content: bytes) -> None:
        with self._condition:
            self.origins.append(decode_value(content, self._task)[1])
            self._condition.notify_all()

    def wait(self, count: int) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: len(self.origins) >= count, DEADLINE)


Make = Callable[..., tuple[BackgroundLearner, Published]]


@pytest.fixture
def make() -> Generator[Make]:
    """Makes learners of the cart-pole, and closes them."""
    made: list[BackgroundLearner] = []

    def make_learner(checkpoint: Path | None = None, weights_file: str = "") -> Any:
        task = make_task("cartpole_swingup")
        published = Published(task)
        settings = BackgroundSettings(SMALL, dict(task.weights), checkpoint_period=3600.0)
        outputs = BackgroundOutputs(published.add, lambda _: None, lambda _: None)
        learner = BackgroundLearner(task, settings, outputs, 0, 1, checkpoint, weights_file)
        made.append(learner)
        return learner, published

    yield make_learner
    for learner in made:
        learner.close()


def rows(count: int = 4) -> dict[str, Array]:
    """Transitions of a cart-pole at rest."""
    states = np.tile([0.0, 3.0, 0.0, 0.0], (count, 1))
    return {
        "state": states, "ctrl": np.zeros((count, 1)), "reward": np.zeros(count), "episode": np.zeros(count),
    }  # fmt: skip


def test_it_learns_once_its_experience_is_accepted(make: Make) -> None:
    learner, published = make()
    published.wait(1)  # the fresh weights
    learner.add(rows())
    learner.accept(True)
    published.wait(2)
    learner.add(rows(3))
    learner.add(rows(1))
    published.wait(3)
    assert [origin.sequence for origin in published.origins] == [0, 1, 2]
    text, values = learner.progress()
    assert (text, values["weights_sequence"], values["buffer"]) == ("learning", 2, 8)


def test_experience_of_another_model_is_dropped(make: Make) -> None:
    learner, published = make()
    published.wait(1)
    learner.add(rows())
    learner.accept(False)
    learner.accept(True)
    learner.add(rows(3))
    learner.save()  # waits for an update at hand
    assert len(published.origins) == 1


def test_pausing_keeps_experience_for_later(make: Make) -> None:
    learner, published = make()
    published.wait(1)
    learner.accept(True)
    learner.pause(True)
    learner.add(rows())
    assert learner.progress()[0] == "paused"
    assert len(published.origins) == 1
    learner.pause(False)
    published.wait(2)


def test_a_checkpoint_is_saved_resumed_and_loaded(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learner.accept(True)
    learner.add(rows())
    published.wait(2)
    assert learner.save() == (True, f"saved update 1 to {path}")
    learner.add(rows())
    published.wait(3)
    assert learner.load() == (True, f"loaded update 1 from {path}")
    published.wait(4)
    assert published.origins[-1].epoch > published.origins[-2].epoch
    assert published.origins[-1].sequence == 1
    learner.close()
    _, resumed = make(path)
    resumed.wait(1)
    assert resumed.origins[0].sequence == 1


def test_closing_gives_up_the_update_at_hand_and_keeps_what_was_learned(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of the humanoid takes up to ten seconds on a busy machine."""
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learner.accept(True)
    learner.add(rows())
    published.wait(2)
    rounds, closed = threading.Event(), threading.Event()
    iterate = MPPI.iterate

    def slow_round(*arguments: Any) -> Any:
        rounds.set()
        assert closed.wait(DEADLINE)
        return iterate(*arguments)

    monkeypatch.setattr(MPPI, "iterate", slow_round)
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
    assert len(published.origins) == 2


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


def test_without_a_checkpoint_path_nothing_is_kept(make: Make) -> None:
    learner, _ = make()
    assert learner.save() == (False, "checkpoint_path is empty, so that nothing is kept; set it to a file")
    assert learner.load() == (False, "checkpoint_path is empty; set it to a file")


def test_a_broken_checkpoint_is_refused_at_once_and_not_overwritten(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"no checkpoint at all")
    with pytest.raises(PoloError, match=f"the weights in {path} are corrupted"):
        make(path)
    assert path.read_bytes() == b"no checkpoint at all"


def test_a_checkpoint_of_other_sizes_ends_the_thread_and_is_not_overwritten(
    make: Make, cartpole: Task, tmp_path: Path
) -> None:
    path = tmp_path / "learner.safetensors"
    other = Learner(cartpole, replace(SMALL, target_rollouts=9))
    states = rows()
    other.add(states["state"], states["ctrl"], states["reward"], states["episode"])
    other.update()
    other.save(path, epoch=1)
    before = path.read_bytes()
    learner, published = make(path)
    until = time.monotonic() + DEADLINE
    while learner.failure is None and time.monotonic() < until:
        time.sleep(0.01)
    learner.close()
    assert isinstance(learner.failure, PoloError)
    assert "has rows of other sizes" in str(learner.failure)
    assert learner.save() == (False, "the learner could not be started")
    assert not published.origins
    assert path.read_bytes() == before


def test_received_weights_must_be_newer(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig()).value()
    received = ReceivedWeights(cartpole)
    assert received.values() == {"refused_weights": 0}

    def content(epoch: int, sequence: int) -> bytes:
        return encode_value(value, Origin(cartpole.name, cartpole.model_hash(), epoch, sequence))

    received.receive(content(1000, 5))
    received.receive(content(1000, 5))  # the same again does no harm
    with pytest.raises(PoloError, match=r"weights 4 of epoch 1000 are older than .*; the last good weights"):
        received.receive(content(1000, 4))
    with pytest.raises(PoloError, match="the weights are corrupted"):
        received.receive(b"garbage")
    received.receive(content(1001, 0))
    assert received.values() == {"refused_weights": 2, "weights_sequence": 0, "weights_epoch": 1001}
