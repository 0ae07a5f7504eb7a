"""Home poses: read, made, and commands kept around them."""

import mujoco
import numpy as np
import pytest

from polo_ros.errors import PoloError
from polo_ros.tasks.actuators import to_position_servos
from polo_ros.tasks.building import add_floor, add_joint_sensors
from polo_ros.tasks.poses import add_standing_keyframe, keyframe_positions, limit_commands
from polo_ros.tasks.terms import bounded
from test.support.quadruped import FEET, FOOT_RADIUS, quadruped


def test_positions_of_a_keyframe_are_those_of_the_compiled_model() -> None:
    spec = quadruped()
    found = keyframe_positions(spec, "home")
    model = spec.compile()
    hinges = [index for index in range(model.njnt) if model.jnt_type[index] == mujoco.mjtJoint.mjJNT_HINGE]
    assert found == {model.joint(i).name: model.key_qpos[0, model.jnt_qposadr[i]] for i in hinges}
    assert len(found) == 8 and set(found.values()) == {0.4, -0.8}


def test_a_keyframe_that_is_not_there_is_named() -> None:
    with pytest.raises(PoloError, match=r"no keyframe named 'homr'.*home"):
        keyframe_positions(quadruped(), "homr")


def test_commands_stay_around_the_home_pose_and_within_the_joints_range() -> None:
    spec = quadruped()
    to_position_servos(spec, kp=50.0, kd=1.0)
    home = keyframe_positions(spec, "home")
    limit_commands(spec, "*_hip", home, 0.3)
    limit_commands(spec, "*_knee", home, 1.0)
    ranges = spec.compile().actuator_ctrlrange
    np.testing.assert_allclose(ranges[0::2], [[0.1, 0.7]] * 4)
    np.testing.assert_allclose(ranges[1::2], [[-1.8, -0.1]] * 4)  # the joint ends at -0.1
    with pytest.raises(PoloError, match=r"FL_hip' have no range left within 0\.1 of 5"):
        limit_commands(spec, "FL_hip", {"FL_hip": 5.0}, 0.1)


@pytest.mark.parametrize("feet", [FEET, tuple(f"{foot}_sole" for foot in FEET)])
def test_a_made_keyframe_stands_on_its_feet(feet: tuple[str, ...]) -> None:
    spec = quadruped()
    add_floor(spec)
    add_standing_keyframe(spec, "low", {"*_hip": 0.8, "*_knee": -1.6}, feet)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("low").id)
    mujoco.mj_forward(model, data)
    lowest = min(data.geom(foot).xpos[2] for foot in FEET) - FOOT_RADIUS
    # the sole is a point of the sphere that is the lowest one only where the shank is upright
    assert abs(lowest) < (1e-9 if feet == FEET else 0.01)
    assert keyframe_positions(spec, "low")["RR_knee"] == -1.6


def test_a_foot_that_is_not_there_is_named() -> None:
    with pytest.raises(PoloError, match="no geom, site or body named 'paw'"):
        add_standing_keyframe(quadruped(), "low", {"*_hip": 0.8}, ("paw",))


def test_joint_sensors_follow_the_order_of_the_model() -> None:
    assert add_joint_sensors(quadruped(), ("*_knee", "*_hip"))[:2] == ["FL_hip", "FL_knee"]


def test_bounded_errors() -> None:
    errors = np.array([0.0, -0.2, 0.2, 1e9])
    np.testing.assert_allclose(bounded(errors, 0.2), [0.0, 0.5, 0.5, 1.0])
