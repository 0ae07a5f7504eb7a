"""Checkpoints of the learner: it resumes to the bit, and refuses what it cannot continue from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learners import CONFIG, assert_same, changed, experience, fed, make_learner

from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value
from polo_ros.tasks import Task, make_task


@pytest.mark.parametrize("warmup", [6, 13])
def test_loaded_learner_continues_to_the_bit(task: Task, tmp_path: Path, warmup: int) -> None:
    changes: dict[str, Any] = {"warmup_labels": warmup, "target_noise": 0.1, "input_noise": 0.1}
    source = fed(task, **changes)
    for _ in range(2):
        source.update()
    source.save(tmp_path / "checkpoint", epoch=7, extra={"mine": "kept"})
    resumed = make_learner(task, seed=99, **changes)
    metadata = resumed.load(tmp_path / "checkpoint").metadata
    assert metadata["mine"] == "kept" and metadata["epoch"] == "7"
    assert resumed.sequence == 2
    assert_same(source, resumed, tmp_path)
    for learner in (source, resumed):
        learner.add(*experience(task, 25))  # past the capacity
        reports = [learner.update() for _ in range(2)]
    assert reports[-1].sequence == 4
    assert_same(source, resumed, tmp_path)


@pytest.mark.parametrize("capacity", [10, 200])
def test_buffer_capacity_may_change_between_runs(task: Task, tmp_path: Path, capacity: int) -> None:
    source = fed(task)
    source.add(*experience(task, 40))  # 80 visits, of which 50 are held
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    resumed = make_learner(task, buffer_capacity=capacity, label_capacity=3)
    resumed.load(tmp_path / "checkpoint")
    assert len(resumed.buffer) == min(capacity, 50)
    np.testing.assert_array_equal(resumed.buffer.column("state"), source.buffer.column("state")[-capacity:])
    assert np.isfinite(resumed.update().loss)


def test_bare_weights_start_a_learner(task: Task, tmp_path: Path) -> None:
    source = fed(task)
    source.update()
    origin = Origin(task.name, task.model_hash(), epoch=7, sequence=31)
    write_atomically(tmp_path / "weights", encode_value(source.value(), origin))
    learner = fed(task, seed=99)
    learner.load(tmp_path / "weights")
    features = task.value_features(task.observe(experience(task, 10)[0]))
    np.testing.assert_array_equal(learner.value().heads(features), source.value().heads(features))
    assert learner.sequence == 31 and len(learner.buffer) == 40
    mean = learner.value().feature_mean
    assert learner.update().sequence == 32
    np.testing.assert_array_equal(learner.value().feature_mean, mean)  # it fits the loaded networks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ensemble_size": 3}, "set ensemble_size and hidden to the checkpoint's"),
        ({"hidden": (8, 8)}, "set ensemble_size and hidden to the checkpoint's"),
        ({"target_rollouts": 7}, "set target_rollouts to the checkpoint's"),
    ],
)
def test_checkpoint_of_other_sizes_is_refused_and_nothing_changes(
    task: Task, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    source = fed(task, **changes)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    learner, untouched = fed(task, seed=3), fed(task, seed=3)
    with pytest.raises(PoloError, match=message):
        learner.load(tmp_path / "checkpoint")
    assert_same(learner, untouched, tmp_path)


def test_checkpoint_with_former_names_is_read(task: Task, tmp_path: Path) -> None:
    source = fed(task)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)

    def rename(tensors: dict[str, Array], _: dict[str, str]) -> None:
        tensors["ends"] = tensors.pop("terminal_states")
        tensors["end_visits"] = tensors.pop("terminal_transitions")

    resumed = make_learner(task, seed=99)
    resumed.load(changed(tmp_path / "checkpoint", rename))
    assert_same(source, resumed, tmp_path)


def test_checkpoint_without_features_is_read_and_completed(task: Task, tmp_path: Path) -> None:
    source = fed(task)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    old = changed(tmp_path / "checkpoint", lambda tensors, _: tensors.pop("buffer.features"))
    resumed = make_learner(task, seed=99)
    resumed.load(old)
    assert_same(source, resumed, tmp_path)
    for learner in (source, resumed):
        learner.update()
    assert_same(source, resumed, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("solver_rng", "no usable state of the random generator solver_rng"),
        ("terminal_states", "terminal_states is missing"),
        ("adam.weight1.step", "adam.weight1.step is missing"),
        ("labels.rewards", "labels.rewards is missing"),
        ("buffer.ctrl", "buffer.ctrl is missing"),
        ("buffer_added", "no number buffer_added"),
    ],
)
def test_incomplete_checkpoints_are_refused_and_nothing_changes(
    task: Task, tmp_path: Path, name: str, message: str
) -> None:
    source = fed(task)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)

    def remove(tensors: dict[str, Array], metadata: dict[str, str]) -> None:
        del (metadata if name in metadata else tensors)[name]  # type: ignore[attr-defined]

    learner, untouched = fed(task, seed=3), fed(task, seed=3)
    with pytest.raises(PoloError, match=message):
        learner.load(changed(tmp_path / "checkpoint", remove))
    assert_same(learner, untouched, tmp_path)


def test_bad_checkpoints_are_refused_and_nothing_changes(task: Task, tmp_path: Path) -> None:
    source = fed(task)
    source.update()
    source.save(tmp_path / "good", epoch=7)
    content = (tmp_path / "good").read_bytes()
    (tmp_path / "short").write_bytes(content[:-1])
    weaker = Learner(make_task(task.name, torque_scale=0.5), CONFIG, threads=1)
    weaker.save(tmp_path / "weaker", epoch=7)
    learner, untouched = fed(task, seed=3), fed(task, seed=3)
    for name, message in (
        ("short", f"the weights in {tmp_path}/short are corrupted"),
        ("missing", "could not be read"),
        ("weaker", "are of another model"),
    ):
        with pytest.raises(PoloError, match=message):
            learner.load(tmp_path / name)
        assert_same(learner, untouched, tmp_path)


@pytest.mark.parametrize("kind", ["exp_avg", "exp_avg_sq", "step"])
@pytest.mark.parametrize("how", ["longer", "shorter", "reshaped", "huge", "bytes"])
def test_wrong_adam_moments_are_refused_and_nothing_changes(
    task: Task, tmp_path: Path, kind: str, how: str
) -> None:
    """The fused optimiser writes beyond such arrays and ends the process."""
    name = f"adam.weight1.{kind}"

    def change(tensors: dict[str, Array], _: dict[str, str]) -> None:
        array = tensors[name]
        tensors[name] = {
            "longer": np.concatenate([array, array]), "shorter": array[:-1], "reshaped": array[..., None],
            "huge": np.full_like(array, 3e38), "bytes": np.ascontiguousarray(array).view(np.uint8),
        }[how]  # fmt: skip

    source = fed(task)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    learner, untouched = fed(task, seed=3), fed(task, seed=3)
    with pytest.raises(PoloError, match=r"adam\.weight1"):
        learner.load(changed(tmp_path / "checkpoint", change))
    assert_same(learner, untouched, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discount": 0.95}, r"are of discount 0\.95, not 0\.99"),
        ({"target_horizon": 9}, "hold labels of 9 steps, not 8; set target_horizon to the checkpoint's"),
    ],
)
def test_labels_of_another_meaning_are_refused(
    task: Task, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    source = fed(task, **changes)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    with pytest.raises(PoloError, match=message):
        fed(task).load(tmp_path / "checkpoint")


@pytest.mark.parametrize("bare", [False, True])
def test_the_files_prior_and_scales_replace_the_settings(task: Task, tmp_path: Path, bare: bool) -> None:
    source = fed(task, prior_scale=2.0)
    source.update()
    path = tmp_path / "file"
    if bare:
        write_atomically(path, encode_value(source.value(), Origin.of(task, 0.99, 7, 1)))
    else:
        source.save(path, epoch=7)
    learner = fed(task, seed=99, prior_scale=0.01)
    learner.load(path)
    features = task.value_features(task.observe(experience(task, 10)[0]))
    np.testing.assert_array_equal(learner.value().heads(features), source.value().heads(features))
    learner.update()
    assert learner.value().prior_scale == 2.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rng", "{}"), ("rng", "[" * 9999), ("solver_rng", '{"bit_generator": "MT19937"}'),
        ("buffer_added", "1"), ("buffer_added", "-1"), ("labels_added", "many"),
    ],
    ids=range(6),
)  # fmt: skip
def test_unusable_metadata_are_refused_and_nothing_changes(
    task: Task, tmp_path: Path, name: str, text: str
) -> None:
    source = fed(task)
    source.update()
    source.save(tmp_path / "checkpoint", epoch=7)
    learner, untouched = fed(task, seed=3), fed(task, seed=3)

    def change(_: dict[str, Array], metadata: dict[str, str]) -> None:
        metadata[name] = text

    with pytest.raises(PoloError, match=r"random generator|number|ever added"):
        learner.load(changed(tmp_path / "checkpoint", change))
    assert_same(learner, untouched, tmp_path)


def test_checkpoints_hold_usable_numbers_even_of_diverged_simulations(task: Task, tmp_path: Path) -> None:
    learner = fed(task)
    states, ctrl, rewards, episodes = experience(task, 4)
    states[:, task.model.nq :] = 1e300
    learner.add(states, ctrl, rewards, episodes)
    learner.update()
    learner.save(tmp_path / "checkpoint", epoch=7)
    make_learner(task).load(tmp_path / "checkpoint")
