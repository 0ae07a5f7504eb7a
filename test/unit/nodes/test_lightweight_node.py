"""A node that ROS 2 refuses to make ends with one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import rclpy

from polo_ros.errors import PoloError
from polo_ros.nodes.lightweight_node import LightweightNode, initialise


def refusal(make: Callable[[rclpy.Context], object]) -> str:
    """The sentence of a start in a context of its own."""
    context = rclpy.Context()
    with pytest.raises(PoloError) as caught:
        make(context)
    rclpy.try_shutdown(context=context)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.filterwarnings("error")
def test_a_bad_namespace_is_named() -> None:
    def make(context: rclpy.Context) -> None:
        initialise([], context=context)
        LightweightNode("probe", namespace="a b", context=context)

    assert refusal(make).startswith("ROS 2 cannot make probe: Invalid namespace: ")


def test_a_bad_option_and_a_bad_domain_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "__ns" in refusal(lambda context: initialise(["--ros-args", "-r", "__ns:=/a-b"], context=context))
    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    assert "ROS_DOMAIN_ID" in refusal(lambda context: initialise([], context=context))


@pytest.mark.parametrize("strategy", ["Enforce", "Permissive"])
def test_security_that_cannot_be_had_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """The keystore is empty, and the wheels' Fast DDS has no security: no node may start in the open."""
    (tmp_path / "enclaves").mkdir()
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", strategy)
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))

    def make(context: rclpy.Context) -> None:
        initialise([], context=context)
        LightweightNode("probe", context=context)

    assert refusal(make).startswith("ROS 2 ")
