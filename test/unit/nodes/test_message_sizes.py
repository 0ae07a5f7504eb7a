"""Messages that are too long are refused in one sentence, before they cost memory or time."""

import array
import time

import numpy as np
import pytest
from geometry_msgs.msg import Point
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, UInt8MultiArray
from visualization_msgs.msg import Marker, MarkerArray

from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.nodes.messages import (
    check_schema,
    limits,
    unpack_bytes,
    unpack_command,
    unpack_experience,
    unpack_joint_state,
    unpack_traces,
)
from polo_ros.nodes.messages.commands import STAMP_LABEL
from polo_ros.tasks import Task


def doubles(count: int) -> "array.array[float]":
    return array.array("d", bytes(8 * count))


def test_joint_names_are_not_compared_by_the_million(cartpole: Task) -> None:
    names = ["slider"] * 100_000
    message = JointState(name=names, position=doubles(len(names)), velocity=doubles(len(names)))
    began = time.monotonic()
    with pytest.raises(PoloError, match="100000 are more than the 1000"):
        unpack_joint_state(JointMapping(cartpole.model), message)
    assert time.monotonic() - began < 1.0


def test_commands(cartpole: Task) -> None:
    with pytest.raises(PoloError, match="values: 1001 are more"):
        unpack_command(Float64MultiArray(data=doubles(limits.MOST_JOINTS + 1)))
    message = Float64MultiArray(data=doubles(1))
    message.layout.dim = [MultiArrayDimension(label=f"{STAMP_LABEL}{'9' * 5000}")]
    with pytest.raises(PoloError, match="must end in a stamp in ns"):
        unpack_command(message)
    message.layout.dim = [MultiArrayDimension()] * 1000
    with pytest.raises(PoloError, match="dimensions: 1000 are more"):
        unpack_command(message)


def test_experience(cartpole: Task) -> None:
    with pytest.raises(PoloError, match="experience, values: 5000000 are more"):
        unpack_experience(Float64MultiArray(data=doubles(5_000_000)), cartpole)


@pytest.mark.parametrize("content", ["[" * 50_000, '{"fields": ' + "[" * 50_000])
def test_a_deeply_nested_schema(cartpole: Task, content: str) -> None:
    with pytest.raises(PoloError, match="is not a schema"):
        check_schema(content, cartpole)


def test_a_long_schema(cartpole: Task) -> None:
    with pytest.raises(PoloError, match="characters: 100002 are more"):
        check_schema('"' + "x" * 100_000 + '"', cartpole)


def test_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polo_ros.nodes.messages.experience.MOST_WEIGHT_BYTES", 10)
    with pytest.raises(PoloError, match="weights, bytes: 11 are more than the 10"):
        unpack_bytes(UInt8MultiArray(data=array.array("B", bytes(11))))


def line(count: int, value: float = 0.0) -> Marker:
    return Marker(ns="best", points=[Point(x=value)] * count)


def test_markers() -> None:
    with pytest.raises(PoloError, match="markers: 1001 are more"):
        unpack_traces(MarkerArray(markers=[Marker()] * (limits.MOST_MARKERS + 1)))
    with pytest.raises(PoloError, match="points: 10001 are more"):
        unpack_traces(MarkerArray(markers=[line(limits.MOST_POINTS + 1)]))
    with pytest.raises(PoloError, match="not finite"):
        unpack_traces(MarkerArray(markers=[line(2, np.nan)]))
    assert unpack_traces(MarkerArray(markers=[line(0)])).best.shape == (0, 3)
