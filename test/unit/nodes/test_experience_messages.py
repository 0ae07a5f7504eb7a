"""Experience and its schema as messages: what is sent comes back, and what is refused."""

import json
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from std_msgs.msg import Float64MultiArray

from polo_ros.errors import PoloError
from polo_ros.learner.experience import experience_schema
from polo_ros.nodes import messages
from polo_ros.tasks import Task


def test_experience_returns_as_it_was(humanoid_getup: Task) -> None:
    rng = np.random.default_rng(0)
    state = rng.normal(size=humanoid_getup.state_size)
    ctrl = rng.uniform(-0.4, 0.4, size=humanoid_getup.model.nu)
    first = messages.pack_experience(1.5, 2, state, ctrl, -0.25)
    second = messages.pack_experience(1.508, 2, 2.0 * state, -ctrl, 0.5)
    first.data.extend(second.data)
    rows = messages.unpack_experience(first, humanoid_getup)
    assert list(rows["time"]) == [1.5, 1.508]
    assert list(rows["episode"]) == [2.0, 2.0]
    assert list(rows["reward"]) == [-0.25, 0.5]
    assert_allclose(rows["state"], [state, 2.0 * state], rtol=0, atol=0)
    assert_allclose(rows["ctrl"], [ctrl, -ctrl], rtol=0, atol=0)


def test_experience_of_a_wrong_size_or_not_finite_is_refused(cartpole: Task) -> None:
    message = messages.pack_experience(0.0, 0, np.zeros(4), np.zeros(1), 0.0)
    message.data[3] = math.nan
    with pytest.raises(PoloError, match="not finite"):
        messages.unpack_experience(message, cartpole)
    for data in (list[float](), list(message.data[:-1])):
        with pytest.raises(PoloError, match=f"experience has {len(data)} values, not a multiple of 8"):
            messages.unpack_experience(Float64MultiArray(data=data), cartpole)


@pytest.mark.parametrize(
    ("entry", "number", "message"),
    [
        (1, 0.5, "episodes that are no whole numbers"), (1, 1e300, "episodes that are no whole numbers"),
        (3, 1e7, "beyond 1e"), (6, 1.5, "controls out of the actuators' ranges"), (7, -1e200, "beyond 1e"),
    ],
)  # fmt: skip
def test_experience_out_of_range_is_refused(cartpole: Task, entry: int, number: float, message: str) -> None:
    packed = messages.pack_experience(0.0, 0, np.zeros(4), np.zeros(1), 0.0)
    packed.data[entry] = number
    with pytest.raises(PoloError, match=message):
        messages.unpack_experience(packed, cartpole)


def test_size_of_an_experience_message_is_bounded(cartpole: Task) -> None:
    message = Float64MultiArray(data=[0.0] * (8 * 10_001))
    with pytest.raises(PoloError, match=r"experience, values: .* are more than"):
        messages.unpack_experience(message, cartpole)


def test_the_schema_tells_a_reader_the_fields(cartpole: Task) -> None:
    schema = json.loads(experience_schema(cartpole, ["slider", "hinge"]))
    assert schema["joints"] == ["slider", "hinge"]
    assert schema["dt"] == cartpole.timestep
    assert [(field["name"], field["size"]) for field in schema["fields"]] == [
        ("time", 1), ("episode", 1), ("qpos", 2), ("qvel", 2), ("ctrl", 1), ("reward", 1),
    ]  # fmt: skip
    messages.check_schema(json.dumps(schema), cartpole)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("task", "juggling", "experience is of task juggling, not cartpole_swingup"),
        ("model_hash", "0123", "experience is of model_hash 0123, not"),
        ("version", 99, "experience is of version 99, not 1"),
        ("fields", [], "other fields"),
        ("fields", None, "is not a schema"),
        ("dt", 10**400, "is not a schema"),
        ("reward_weights", {"upright": 10**400}, "is not a schema"),
    ],
)
def test_another_schema_is_refused(cartpole: Task, key: str, value: object, sentence: str) -> None:
    schema = json.loads(experience_schema(cartpole, [])) | {key: value}
    with pytest.raises(PoloError, match=sentence):
        messages.check_schema(json.dumps(schema), cartpole)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", "null"])
def test_what_is_no_schema_is_refused(cartpole: Task, content: str) -> None:
    with pytest.raises(PoloError, match="experience/schema is not a schema"):
        messages.check_schema(content, cartpole)
