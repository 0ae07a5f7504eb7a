"""Learning on a thread of its own: waits for its schema, pauses, saves, and says what is wrong."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.ports import BackgroundOutputs, BackgroundSettings
from polo_ros.learner.received_weights import ReceivedWeights
from polo_ros.learner.weights import decode_value, encode_value
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


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


Make = Callable[..., tuple[BackgroundLearner, Published]]


@pytest.fixture
def make() -> Generator[Make]:
    """Makes learners of the cart-pole, and closes them."""
    made: list[BackgroundLearner] = []

    def make_learner(
        checkpoint: Path | None = None,
        weights_file: str = "",
        rewards: dict[str, float] | None = None,
        **changes: Any,
    ) -> Any:
        task = make_task("cartpole_swingup")
        published, said = Published(task), list[str]()
        settings = BackgroundSettings(
            replace(SMALL, **changes), {**task.weights, **(rewards or {})}, checkpoint_period=3600.0
        )
        outputs = BackgroundOutputs(published.add, lambda _: None, said.append, said.append)
        learner = BackgroundLearner(task, settings, outputs, 0, 1, checkpoint, weights_file)
        made.append(learner)
        learner.said = said  # type: ignore[attr-defined]
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


def started(learner: BackgroundLearner) -> None:
    """Wait until the learner has been created: what saves waits for it."""
    learner.save().result(DEADLINE)


def learn(learner: BackgroundLearner, published: Published, updates: int = 1) -> None:
    """Let a learner make some updates."""
    learner.accept(True)
    for _ in range(updates):
        before = len(published.origins)
        learner.add(rows())
        published.wait(before + 1)


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


def test_experience_of_another_model_is_dropped(make: Make) -> None:
    learner, published = make()
    started(learner)
    learner.add(rows())
    learner.accept(False)
    learner.accept(True)
    learner.add(rows(3))
    learner.save().result(DEADLINE)  # waits for the current update
    assert not published.origins


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


def test_a_checkpoint_is_saved_resumed_and_loaded(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    assert learner.save().result(DEADLINE) == (True, f"saved update 1 to {path}")
    learn(learner, published)
    assert learner.load().result(DEADLINE) == (True, f"loaded update 1 from {path}")
    published.wait(3)
    assert published.origins[-1].epoch != published.origins[-2].epoch
    assert published.origins[-1].sequence == 1
    learner.close()
    _, resumed = make(path)
    resumed.wait(1)
    assert resumed.origins[0].sequence == 1


def test_the_last_three_checkpoints_are_kept(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    for _ in range(4):
        learn(learner, published)
        learner.save().result(DEADLINE)
    kept = [path, tmp_path / "learner.1.safetensors", tmp_path / "learner.2.safetensors"]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert [read_tensors(file, "the weights")[1]["sequence"] for file in kept] == ["4", "3", "2"]


def explode(learner: BackgroundLearner) -> None:
    """Make a learner's networks give values that no rewards add up to."""
    made = learner._learner
    assert made is not None
    with torch.no_grad():
        for parameter in made.ensemble.network.parameters():
            parameter += 1e5


def test_exploded_values_are_saved_beside_the_checkpoint(make: Make, tmp_path: Path) -> None:
    path, aside = tmp_path / "learner.safetensors", tmp_path / "learner.exploded.safetensors"
    learner, published = make(path)
    learn(learner, published)
    assert learner.save().result(DEADLINE)[0]
    good = path.read_bytes()
    explode(learner)
    learner.add(rows())
    wait_for(lambda: learner.fault)
    assert "exploded" in learner.fault and len(published.origins) == 1
    assert learner.save().result(DEADLINE) == (True, f"saved update 2 to {aside}")
    assert path.read_bytes() == good
    assert learner.load().result(DEADLINE)[0]  # back to the good values
    assert learner.progress()[0] == "paused"
    learner.pause(False)
    learn(learner, published)
    learner.close()
    assert path.read_bytes() != good
    assert read_tensors(path, "the weights")[1]["sequence"] == "2"
    assert {file.name for file in tmp_path.iterdir()} == {path.name, aside.name, "learner.1.safetensors"}


def test_a_checkpoint_is_saved_after_the_update_at_hand_and_nobody_waits(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node's executor would stand still meanwhile, and with it its diagnostics."""
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    in_update, go_on = threading.Event(), threading.Event()
    iterate = MPPI.iterate

    def slow_round(*arguments: Any) -> Any:
        in_update.set()
        assert go_on.wait(DEADLINE)
        return iterate(*arguments)

    monkeypatch.setattr(MPPI, "iterate", slow_round)
    learner.add(rows())
    assert in_update.wait(DEADLINE)
    saved = learner.save()
    assert not saved.done() and learner.progress()[0] == "learning"
    go_on.set()
    assert saved.result(DEADLINE) == (True, f"saved update 2 to {path}")


def test_a_closed_learner_does_not_replace_its_checkpoint_by_exploded_values(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    learner.save().result(DEADLINE)
    good = path.read_bytes()
    explode(learner)
    learner.add(rows())
    wait_for(lambda: learner.fault)
    learner.close()
    assert path.read_bytes() == good
    assert (tmp_path / "learner.exploded.safetensors").exists()


def test_a_file_that_could_not_be_loaded_is_not_overwritten(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    learner.save().result(DEADLINE)
    path.write_bytes(b"someone else's work")
    answer = learner.load().result(DEADLINE)
    assert not answer[0] and "are corrupted" in answer[1]
    aside = tmp_path / "learner.aside.safetensors"
    assert learner.save().result(DEADLINE) == (True, f"saved update 1 to {aside}")
    learn(learner, published)
    learner.close()
    assert path.read_bytes() == b"someone else's work"
    assert read_tensors(aside, "the weights")[1]["sequence"] == "2"


def test_a_file_that_appears_later_is_not_overwritten(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    first, published = make(path)
    learn(first, published)
    path.write_bytes(b"another learner's")
    (tmp_path / "learner.aside.safetensors").write_bytes(b"a third one's")
    first.close()
    assert path.read_bytes() == b"another learner's"
    assert (tmp_path / "learner.aside.safetensors").read_bytes() == b"a third one's"
    assert (tmp_path / "learner.aside2.safetensors").exists()


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


def test_what_a_file_means_otherwise_is_said(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learn(learner, published)
    learner.close()
    other, loaded = make(path, prior_scale=0.7, rewards={"upright": 3.0})
    loaded.wait(1)
    assert any("other reward weights: upright 1, not 3" in text for text in other.said)  # type: ignore[attr-defined]
    assert any("prior_scale 0.1 of the weights in" in text for text in other.said)  # type: ignore[attr-defined]
    other.close()
    assert read_tensors(path, "the weights")[0]["scales"][2] == 0.1  # the file's own still


def test_closing_gives_up_the_update_at_hand_and_keeps_what_was_learned(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of the humanoid takes up to ten seconds on a busy machine."""
    path = tmp_path / "learner.safetensors"
    learner, published = make(path)
    learner.accept(True)
    learner.add(rows())
    published.wait(1)
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


def test_without_a_checkpoint_path_nothing_is_kept(make: Make) -> None:
    learner, _ = make()
    assert learner.save().result(DEADLINE) == (
        False,
        "checkpoint_path is empty, so that nothing is kept; set it to a file",
    )
    assert learner.load().result(DEADLINE) == (False, "checkpoint_path is empty; set it to a file")


def test_a_broken_checkpoint_ends_the_thread_and_is_not_overwritten(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"no checkpoint at all")
    learner, published = make(path)
    wait_for(lambda: learner.failure)
    learner.close()
    assert isinstance(learner.failure, PoloError)
    assert f"the weights in {path} are corrupted" in str(learner.failure)
    assert learner.save().result(DEADLINE) == (False, "the learner could not be started")
    assert not published.origins
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
    assert "set target_rollouts to the checkpoint's" in str(learner.failure)
    assert learner.save().result(DEADLINE) == (False, "the learner could not be started")
    assert not published.origins
    assert path.read_bytes() == before


def test_received_weights_are_ordered_within_their_run(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig()).value()
    received = ReceivedWeights(cartpole, 0.99)
    assert received.values() == {"refused_weights": 0}

    def content(epoch: int, sequence: int) -> bytes:
        return encode_value(value, Origin.of(cartpole, 0.99, epoch, sequence))

    received.receive(content(1000, 5))
    received.receive(content(1000, 5))  # the same again does no harm
    with pytest.raises(PoloError, match=r"weights 4 of epoch 1000 are older than .*; the last good weights"):
        received.receive(content(1000, 4))
    with pytest.raises(PoloError, match="the weights are corrupted"):
        received.receive(b"garbage")
    received.receive(content(999, 0))  # another run: epochs have no order, since clocks may be wrong
    assert received.values() == {"refused_weights": 2, "weights_sequence": 0, "weights_epoch": 999}
    with pytest.raises(PoloError, match=r"learner run 1000, which run 999 has replaced; stop one of the two"):
        received.receive(content(1000, 6))


def test_the_discount_of_received_weights_is_the_planners(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig(discount=0.9)).value()
    content = encode_value(value, Origin.of(cartpole, 0.9, 1, 1))
    with pytest.raises(PoloError, match=r"are of discount 0\.9, not 0\.99; set discount to the one they"):
        ReceivedWeights(cartpole, 0.99).receive(content)
    ReceivedWeights(cartpole, 0.9).receive(content)
    # without rewards there is nothing to add to the values, and any discount ranks plans the same
    cartpole.weights.update(dict.fromkeys(cartpole.weights, 0.0))
    ReceivedWeights(cartpole, 0.99).receive(content)


def test_other_reward_weights_are_a_warning_that_names_them(cartpole: Task) -> None:
    value = Learner(cartpole, LearnerConfig()).value()
    content = encode_value(value, Origin.of(cartpole, 0.99, 1, 1))
    received = ReceivedWeights(cartpole, 0.99)
    received.receive(content)
    assert received.warning == ""
    cartpole.weights["upright"] = 2.5
    received.receive(content)
    assert received.warning == "the value function was trained with other reward weights: upright 1, not 2.5"
    assert received.values()["weights_warning"] == received.warning
