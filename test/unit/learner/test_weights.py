"""Files of weights: what they hold, and that they return as they were."""

import ast
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from weights_files import metadata_of

import polo_ros
from polo_ros.errors import PoloError
from polo_ros.files import write_atomically
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.origin import FORMAT, Origin
from polo_ros.learner.weights import architecture, decode_value, encode_value, load_value
from polo_ros.parameters.settings import settings_for
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks import Task, make_task


def test_weights_survive_the_round_trip(
    task: Task, value: ValueEnsemble, origin: Origin, content: bytes
) -> None:
    decoded, came_from = decode_value(content, task)
    assert came_from == origin
    features = np.random.default_rng(1).normal(size=(20, task.feature_count))
    np.testing.assert_array_equal(decoded.heads(features), value.heads(features))
    again = encode_value(decoded, came_from)
    assert metadata_of(again) == metadata_of(content)
    for name, array in load(content).items():
        np.testing.assert_array_equal(load(again)[name], array)


def test_metadata_says_what_the_weights_are(task: Task, content: bytes) -> None:
    assert metadata_of(content) == {
        "format": FORMAT,
        "task": "cartpole_swingup",
        "model_hash": task.model_hash(),
        "epoch": "1700000000000000123",
        "sequence": "42",
        "architecture": "3x(5-8-6-1)",
        "version": polo_ros.__version__,
        "discount": "0.99",
        "control_period": "0.02",
        "dynamics_hash": task.dynamics_hash(),
        "reward_weights": json.dumps(task.weights, sort_keys=True),
    }


def test_architecture_names_heads_and_layers(value: ValueEnsemble) -> None:
    assert architecture(value) == "3x(5-8-6-1)"


def test_weights_are_read_from_a_file(task: Task, origin: Origin, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "new" / "weights.safetensors"
    write_atomically(path, content)
    _, came_from = load_value(str(path), task)
    assert came_from == origin
    tensors, metadata = read_tensors(path, "the weights")
    assert metadata == metadata_of(content) and set(tensors) == set(load(content))


def test_shipped_weights_are_found_by_name() -> None:
    humanoid = make_task("humanoid_getup")
    value, origin = load_value("humanoid_getup.safetensors", humanoid)
    assert origin.sequence > 0
    start = humanoid.value_features(humanoid.observe(humanoid.start_state(np.random.default_rng(0))))
    assert np.isfinite(value.heads(start)).all()


def test_no_module_can_unpickle() -> None:
    """Nothing in the package imports a pickler or calls a loader that would unpickle.

    Except for the jobs of sweeps: the processes of loky are children of the command that they answer.
    """
    picklers = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    loaders = {("torch", "load"), ("torch", "save"), ("np", "load"), ("numpy", "load"), ("yaml", "load")}
    sources = list(Path(polo_ros.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in loaders, source
                continue
            else:
                continue
            allowed = {"joblib"} if source.name == "loky_pool.py" else set()
            assert not names & picklers - allowed, source


def test_prior_scale_zero_needs_no_special_file(task: Task, value: ValueEnsemble, origin: Origin) -> None:
    plain = dataclasses.replace(value, prior_scale=0.0)
    decoded, _ = decode_value(encode_value(plain, origin), task)
    assert decoded.prior_scale == 0.0


def test_dynamics_hash_covers_gravity_and_servo_gains() -> None:
    hand, other = make_task("hand_cube"), make_task("hand_cube")
    assert hand.dynamics_hash() == other.dynamics_hash()
    other.model.actuator_gainprm[0, 0] *= 2.0
    assert hand.dynamics_hash() != other.dynamics_hash() and hand.model_hash() == other.model_hash()
    hand.model.opt.gravity[2] = -3.7
    assert hand.dynamics_hash() != make_task("hand_cube").dynamics_hash()


def test_files_of_earlier_versions_have_the_discount_of_their_scale(task: Task, content: bytes) -> None:
    stated = ("discount", "control_period", "dynamics_hash", "reward_weights", "version")
    metadata = {key: text for key, text in metadata_of(content).items() if key not in stated}
    old = save(load(content), metadata)
    assert decode_value(old, task, 0.99)[1].discount == pytest.approx(0.99)
    with pytest.raises(PoloError, match=r"are of discount 0\.99, not 0\.9"):
        decode_value(old, task, 0.9)


def test_shipped_weights_state_what_they_mean() -> None:
    humanoid = make_task("humanoid_getup")
    _, origin = load_value("humanoid_getup.safetensors", humanoid, 0.99)
    assert (origin.discount, origin.control_period) == (0.99, 0.008)
    assert origin.dynamics_hash == humanoid.dynamics_hash()
    difference = origin.reward_difference(settings_for("humanoid_getup").task.weights)
    assert difference == "balance 0, not -1, height 1, not 1.5, motion 0, not -0.02, upright 0, not 0.5"
