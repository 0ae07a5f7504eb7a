"""The learner: when it learns, what it labels, resuming to the bit, and refused checkpoints."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from safetensors.numpy import save

from polo_ros.arrays import Array
from polo_ros.errors import ExplodedError, PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.config import LearnerConfig
from polo_ros.learner.learner import Learner
from polo_ros.learner.origin import Origin
from polo_ros.learner.weights import encode_value
from polo_ros.seeding import Stream, seed_of
from polo_ros.tasks import Task, View, make_task
from polo_ros.tasks.state import set_state

CONFIG = LearnerConfig(
    gradient_steps=4,
    batch_size=8,
    target_states=6,
    warmup_labels=6,
    target_horizon=8,
    target_rollouts=6,
    target_iterations=1,
    ensemble_size=2,
    hidden=(8,),
    buffer_capacity=50,
    label_capacity=20,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # the networks are tiny: more threads only wait for each other


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task("cartpole_swingup")


def make_learner(task: Task, seed: int = 0, **changes: Any) -> Learner:
    config = dataclasses.replace(CONFIG, **changes)
    return Learner(task, config, seed, threads=1)


def experience(task: Task, count: int, episode_steps: int = 20) -> tuple[Array, Array, Array, Array]:
    """Transitions whose rewards and episodes carry their numbers, as `Learner.add` takes them."""
    rng = np.random.default_rng(5)
    states = np.array([task.start_state(rng) for _ in range(count)])
    numbers = np.arange(count)
    return (
        states,
        rng.uniform(-1.0, 1.0, (count, task.model.nu)),
        numbers / 100.0,
        (numbers // episode_steps).astype(float),
    )


def fed(task: Task, seed: int = 0, **changes: Any) -> Learner:
    """A learner with 40 transitions of two episodes."""
    learner = make_learner(task, seed, **changes)
    learner.add(*experience(task, 40))
    return learner


def contents(learner: Learner, path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a learner's checkpoint."""
    learner.save(path, epoch=7)
    return read_tensors(path, "the weights")


def assert_same(first: Learner, second: Learner, folder: Path) -> None:
    """Two learners hold the same to the bit, generators and optimisers included."""
    tensors, metadata = contents(first, folder / "first")
    others, other_metadata = contents(second, folder / "second")
    assert metadata == other_metadata
    assert tensors.keys() == others.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


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
    ends = task.value_features(task.observe(contents(learner, tmp_path / "file")[0]["ends"]))
    learner.update()
    labelled = contents(learner, tmp_path / "file")[0]["labels.features"][6:]
    near = np.abs(labelled[:, None] - ends[None]).sum(axis=-1).min(axis=1) < 1e-9
    assert near.tolist() == [False] * 3 + [True] * 3


def test_plans_from_terminal_states_start_from_controls_executed_later(task: Task, tmp_path: Path) -> None:
    learner = make_learner(task, target_horizon=2)  # two knots tell two controls exactly
    states, ctrl, rewards, episodes = experience(task, 80)
    learner.add(states, ctrl, rewards, episodes)  # the first 30 were replaced
    learner.update()
    first, _ = contents(learner, tmp_path / "file")
    visited, ends = (
        task.value_features(task.observe(states)),
        task.value_features(task.observe(first["ends"])),
    )
    origins = [int(np.abs(visited - features).sum(axis=1).argmin()) for features in first["labels.features"]]
    np.testing.assert_array_equal(first["end_visits"], np.repeat(origins, CONFIG.target_rollouts) + 3)
    learner.update()
    tensors, _ = contents(learner, tmp_path / "file")
    data = mujoco.MjData(task.model)
    for features, candidates in zip(
        tensors["labels.features"][-3:], tensors["labels.rewards"][-3:], strict=True
    ):
        end = int(np.abs(ends - features).sum(axis=1).argmin())
        start = min(int(first["end_visits"][end]), 79)
        last = start // 20 * 20 + 19  # of its episode
        set_state(task.model, data, first["ends"][end])
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


def changed(path: Path, change: Callable[[dict[str, Array], dict[str, str]], object]) -> Path:
    """A copy of a checkpoint with some of its contents changed."""
    tensors, metadata = read_tensors(path, "the weights")
    change(tensors, metadata)
    other = path.with_name("changed")
    other.write_bytes(save(tensors, metadata))
    return other


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
        ("ends", "ends is missing"),
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


def test_networks_that_no_reader_takes_have_exploded(task: Task) -> None:
    learner = fed(task)
    learner.update()
    learner.ensemble.feature_mean = np.full(task.feature_count, 1e10)
    with pytest.raises(ExplodedError, match=r"the values of cartpole_swingup .* in feature_mean, beyond"):
        learner.update()


def test_checkpoints_hold_usable_numbers_even_of_diverged_simulations(task: Task, tmp_path: Path) -> None:
    learner = fed(task)
    states, ctrl, rewards, episodes = experience(task, 4)
    states[:, task.model.nq :] = 1e300
    learner.add(states, ctrl, rewards, episodes)
    learner.update()
    learner.save(tmp_path / "checkpoint", epoch=7)
    make_learner(task).load(tmp_path / "checkpoint")
