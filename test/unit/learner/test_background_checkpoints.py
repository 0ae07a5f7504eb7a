"""The learning thread's checkpoints: saved, resumed, loaded, and never overwritten by mistake."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from background_learners import DEADLINE, SMALL, Make, learn, rows, wait_for

from polo_ros.errors import PoloError
from polo_ros.learner.background import BackgroundLearner
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.learner import Learner
from polo_ros.tasks import Task


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
