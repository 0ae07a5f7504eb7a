"""Wrong files of weights are refused with what is wrong in them."""

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from weights_files import CONFIG, metadata_of

import polo_ros
from polo_ros.arrays import Array
from polo_ros.errors import PoloError
from polo_ros.learner.checkpoint import read_tensors
from polo_ros.learner.ensemble import EnsembleTrainer
from polo_ros.learner.origin import FORMAT, Origin
from polo_ros.learner.weights import decode_value, encode_value, load_value
from polo_ros.planner.value import ValueEnsemble
from polo_ros.tasks import Task, make_task


def test_missing_file_is_named(task: Task, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match=r"nothing\.safetensors.* humanoid_getup\.safetensors"):
        load_value("nothing.safetensors", task)
    for path, reason in ((tmp_path / "no", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(PoloError, match=f"could not be read .{reason}"):
            read_tensors(path, "the weights")
    with pytest.raises(PoloError, match=f"there is no file {tmp_path}"):
        load_value(str(tmp_path), task)


def test_every_truncation_is_refused(task: Task, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    for length in [0, 1, 7, 8, 9, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(PoloError, match="the weights are corrupted"):
            load_value(str(path), task)


@pytest.mark.parametrize("where", [0, 7, 8, 20])
def test_corrupted_header_is_refused(task: Task, content: bytes, where: int) -> None:
    broken = bytearray(content)
    broken[where] ^= 0xFF
    with pytest.raises(PoloError, match="the weights are corrupted"):
        decode_value(bytes(broken), task)


@pytest.mark.parametrize("junk", [b"not weights at all", b"\x80\x04\x95pickle", bytes(100)])
def test_other_files_are_refused(task: Task, junk: bytes) -> None:
    with pytest.raises(PoloError, match="the weights are corrupted"):
        decode_value(junk, task)


def changed(content: bytes, change: Callable[[dict[str, Array]], object]) -> bytes:
    """The same weights with some arrays changed."""
    tensors = {name: array.copy() for name, array in load(content).items()}
    change(tensors)
    return save(tensors, metadata_of(content))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["network.weight1", "network.bias0", "prior.weight0", "feature_mean", "feature_std", "scales"]
)
def test_non_finite_weights_are_refused_by_name(task: Task, content: bytes, name: str, number: float) -> None:
    broken = changed(content, lambda tensors: np.put(tensors[name], 1, number))
    with pytest.raises(PoloError, match=f"non-finite numbers in {name}"):
        decode_value(broken, task)


@pytest.mark.parametrize(
    "name", ["network.weight1", "network.bias0", "prior.bias2", "feature_mean", "feature_std", "scales"]
)
def test_missing_array_is_refused(task: Task, content: bytes, name: str) -> None:
    with pytest.raises(PoloError, match="the weights are incomplete"):
        decode_value(changed(content, lambda tensors: tensors.pop(name)), task)


@pytest.mark.parametrize("name", ["network.weight1", "prior.weight0", "prior.bias1", "feature_std", "scales"])
def test_array_of_another_size_is_refused(task: Task, content: bytes, name: str) -> None:
    def lengthen(tensors: dict[str, Array]) -> None:
        tensors[name] = np.concatenate([tensors[name]] * 2, axis=-1)

    with pytest.raises(PoloError, match=r"the weights have \S+ of shape"):
        decode_value(changed(content, lengthen), task)


def test_missing_prior_is_refused(task: Task, content: bytes) -> None:
    def strip(tensors: dict[str, Array]) -> None:
        for name in [name for name in tensors if name.startswith("prior")]:
            del tensors[name]

    with pytest.raises(PoloError, match="the weights are incomplete"):
        decode_value(changed(content, strip), task)


def test_wrong_number_of_features_is_refused(task: Task, origin: Origin) -> None:
    other = EnsembleTrainer(task.feature_count + 2, CONFIG, seed=0).value()
    with pytest.raises(PoloError, match="take 7 features but task cartpole_swingup has 5"):
        decode_value(encode_value(other, origin), task)


def test_weights_of_another_task_are_refused(content: bytes) -> None:
    with pytest.raises(PoloError, match="are of task cartpole_swingup, not humanoid_getup"):
        decode_value(content, make_task("humanoid_getup"))


def test_weights_of_another_model_are_refused(task: Task, content: bytes, tmp_path: Path) -> None:
    heavier = tmp_path / "heavier.xml"
    text = (Path(polo_ros.__file__).parents[1] / "models" / "cartpole.xml").read_text()
    heavier.write_text(text.replace('mass="0.1"', 'mass="0.2"'))
    for other in (
        make_task("cartpole_swingup", torque_scale=0.5),
        make_task("cartpole_swingup", model_path=heavier),
    ):
        with pytest.raises(PoloError, match=f"another model .{task.model_hash()}, not {other.model_hash()}"):
            decode_value(content, other)


def test_weights_of_another_format_are_refused(task: Task, content: bytes) -> None:
    for metadata in ({}, {**metadata_of(content), "format": "polo_ros/999"}):
        with pytest.raises(PoloError, match=f"have format .*, not '{FORMAT}'"):
            decode_value(save(load(content), metadata or None), task)


@pytest.mark.parametrize("change", [{"epoch": "soon"}, {"sequence": ""}, {"task": None}])
def test_weights_without_a_readable_origin_are_refused(
    task: Task, content: bytes, change: dict[str, str | None]
) -> None:
    merged = {**metadata_of(content), **change}
    metadata = {key: text for key, text in merged.items() if text is not None}
    with pytest.raises(PoloError, match="do not say where they come from"):
        decode_value(save(load(content), metadata), task)


@pytest.mark.parametrize(
    ("name", "number", "message"),
    [
        ("feature_std", 0.0, "an entry of 0 in feature_std, below"),
        ("feature_std", 1e-300, "in feature_std, below"),
        ("feature_std", -1.0, "in feature_std, below"),
        ("feature_std", 1e12, "in feature_std, beyond"),
        ("feature_mean", 1e300, "in feature_mean, beyond"),
        ("network.weight0", 1e30, "in network.weight0, beyond"),
        ("prior.bias1", -1e20, "in prior.bias1, beyond"),
    ],
)
def test_entries_out_of_range_are_refused_by_name(
    task: Task, content: bytes, name: str, number: float, message: str
) -> None:
    with pytest.raises(PoloError, match=message):
        decode_value(changed(content, lambda tensors: np.put(tensors[name], 1, number)), task)


@pytest.mark.parametrize(
    ("index", "number", "message"),
    [
        (0, 1e9, "have offset"), (1, -100.0, "have scale -100"), (1, 0.0, "have scale 0"),
        (1, 1e12, "have scale"), (2, 1e308, "have prior_scale"), (2, -0.1, "have prior_scale"),
    ],
)  # fmt: skip
def test_scales_out_of_range_are_refused_by_name(
    task: Task, content: bytes, index: int, number: float, message: str
) -> None:
    with pytest.raises(PoloError, match=message):
        decode_value(changed(content, lambda tensors: np.put(tensors["scales"], index, number)), task)


def test_values_that_no_rewards_add_up_to_are_refused(
    task: Task, value: ValueEnsemble, origin: Origin
) -> None:
    last = value.network[-1]
    far = dataclasses.replace(last, bias=last.bias + 9e3)
    scale = value.scale  # 100, so that values are around 9e5
    huge = dataclasses.replace(value, network=(*value.network[:-1], far))
    assert scale == pytest.approx(100.0)
    with pytest.raises(PoloError, match=r"give a value of 9e\+05, beyond 1e\+05: more than a reward of 1000"):
        decode_value(encode_value(huge, origin), task)


def retyped(content: bytes, name: str, dtype: object, shape: list[int]) -> bytes:
    """The same bytes with another type and shape of an array in the header."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header[name] |= {"dtype": dtype, "shape": shape}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


@pytest.mark.parametrize(
    ("dtype", "units"),
    [("BF16", 16), ("F16", 16), ("F8_E4M3", 32), ("I64", 4), ("BOOL", 32), ("U8", 32), (7, 8), (None, 8)],
)
def test_arrays_of_other_types_are_refused(task: Task, content: bytes, dtype: object, units: int) -> None:
    # 3 heads of 8 units in single precision have as many bytes as these
    with pytest.raises(PoloError, match=r"network.bias0 (has|of) type"):
        decode_value(retyped(content, "network.bias0", dtype, [3, 1, units]), task)


HOSTILE_HEADERS = [
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"[]",
    b'{"feature_mean": {"dtype": "F64", "shape": [5], "data_offsets": [0, 40]}, "feature_mean": 1}',
    b'{"feature_mean": {"dtype": "F64", "shape": [1000000000000], "data_offsets": [0, 40]}}',
    b'{"feature_mean": {"dtype": "F64", "shape": [-1, -5], "data_offsets": [0, 40]}}',
    b'{"feature_mean": {"dtype": "F64", "shape": [1,1,1,1,1,1,1,1,5], "data_offsets": [0, 40]}}',
    b'{"__metadata__": {"task": 7}}',
    b'{"\\ud800": {"dtype": "F64", "shape": [5], "data_offsets": [0, 40]}}',
    b"\xff\xfe",
    json.dumps({str(i): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(1100)}).encode(),
]


@pytest.mark.parametrize("header", HOSTILE_HEADERS, ids=range(len(HOSTILE_HEADERS)))
def test_hostile_headers_are_refused(task: Task, header: bytes) -> None:
    with pytest.raises(PoloError, match="the weights are corrupted"):
        decode_value(struct.pack("<Q", len(header)) + header + bytes(40), task)


@pytest.mark.parametrize("length", [1 << 62, 1 << 20, (1 << 64) - 1, (1 << 20) + 1])
def test_length_of_the_header_is_bounded(task: Task, length: int) -> None:
    with pytest.raises(PoloError, match="the weights are corrupted"):
        decode_value(struct.pack("<Q", length) + bytes(1 << 21), task)


def test_size_is_bounded_before_anything_is_read(task: Task, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(PoloError, match="more than the allowed"):
        decode_value(content + bytes(64 << 20), task)
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse file
    with pytest.raises(PoloError, match="more than the allowed"):
        load_value(str(path), task)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"discount": "0.95"}, r"are of discount 0\.95, not 0\.99"),
        ({"control_period": "0.01"}, r"of a control period of 0\.01 s, not 0\.02 s"),
        ({"dynamics_hash": "0123"}, "other actuator gains, friction or gravity"),
        ({"discount": "nan"}, "do not say where they come from"),
        ({"discount": "1.5"}, "do not say where they come from"),
        ({"reward_weights": "[1]"}, "do not say where they come from"),
        ({"reward_weights": '{"upright": "much"}'}, "do not say where they come from"),
        ({"epoch": "-1"}, "do not say where they come from"),
        ({"sequence": "9" * 5000}, "do not say where they come from"),
    ],
)
def test_values_of_another_meaning_are_refused_by_name(
    task: Task, content: bytes, change: dict[str, str], message: str
) -> None:
    with pytest.raises(PoloError, match=message):
        decode_value(save(load(content), metadata_of(content) | change), task, 0.99)
