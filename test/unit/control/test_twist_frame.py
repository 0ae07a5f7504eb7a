"""Twists in another frame than the planner was told are noticed, and no others."""

import numpy as np
import pytest

from benchmarks.faults.twist_frame import verdicts
from polo_ros.control.twist_frame import turn

# of the actuators' ranges; at full force the simulation of a humanoid diverges now and then
FORCE = 0.3


@pytest.mark.parametrize("name", ["humanoid_getup", "humanoid_walk", "hand_cube"])
@pytest.mark.parametrize("frame", ["child", "world"])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_a_twist_in_the_told_frame_is_never_a_fault(name: str, frame: str, noise: float) -> None:
    assert not any(verdicts(name, frame, frame, FORCE, noise, seed=0))


@pytest.mark.parametrize(("told", "real"), [("child", "world"), ("world", "child")])
def test_a_twist_in_the_other_frame_is_named_with_what_to_set(told: str, real: str) -> None:
    *_, last = verdicts("humanoid_getup", told, real, FORCE, noise=0.0, seed=0)
    assert last == (
        f"the twist of odom is in the {real} frame, as its poses show, and not in the {told} frame; "
        f"set odom_twist_frame to {real}"
    )


def test_a_turn_is_the_rotation_in_the_bodys_frame() -> None:
    half = np.sqrt(0.5)
    quarter = np.array([half, 0.0, 0.0, half])
    np.testing.assert_allclose(turn(np.array([1.0, 0, 0, 0]), quarter), [0, 0, np.pi / 2])
    np.testing.assert_allclose(turn(quarter, -quarter), np.zeros(3), atol=1e-12)
