"""Actuators that are turned into position servos and motors."""

import mujoco
import numpy as np
import pytest

from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.tasks.actuators import actuator_kind, holding_ctrl, to_motors, to_position_servos
from test.support.quadruped import HIP_EFFORT, HOME, KNEE_EFFORT, quadruped

ARM = """
<mujoco>
  <worldbody>
    <body><joint name="shoulder" range="-90 90"/><geom size="0.1"/>
      <body pos="0.3 0 0"><joint name="elbow" {elbow}/><geom size="0.1"/></body>
    </body>
  </worldbody>
  <actuator>{actuators}</actuator>
</mujoco>
"""
LIMITED = 'range="-60 60"'


def arm(actuators: str = "", elbow: str = LIMITED) -> mujoco.MjSpec:
    return mujoco.MjSpec.from_string(ARM.format(actuators=actuators, elbow=elbow))


def test_motors_become_servos_with_the_efforts_that_they_had() -> None:
    spec = quadruped()
    to_position_servos(spec, kp={"*": 30.0, "*_knee": 50.0}, kd=2.0)
    model = spec.compile()
    knee, hip = model.actuator("RL_knee"), model.actuator("RL_hip")
    assert knee.gainprm[0] == 50.0 and knee.biasprm[:3].tolist() == [0.0, -50.0, -2.0]
    assert hip.gainprm[0] == 30.0
    assert knee.forcerange.tolist() == [-KNEE_EFFORT, KNEE_EFFORT]
    assert hip.forcerange.tolist() == [-HIP_EFFORT, HIP_EFFORT]
    np.testing.assert_array_equal(model.actuator_ctrlrange, model.jnt_range[1:])
    assert JointMapping(model).command_topic == "position_controller/commands"
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def test_a_servo_gives_the_effort_that_its_gains_say() -> None:
    spec = arm('<velocity joint="shoulder" kv="3" gear="7" ctrlrange="-1 1"/>')
    to_position_servos(spec, kp=10.0, kd=0.5, joints="shoulder")
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[0], data.qvel[0], data.ctrl[0] = 0.2, 3.0, 0.5
    mujoco.mj_forward(model, data)
    assert data.actuator_force[0] == pytest.approx(10.0 * (0.5 - 0.2) - 0.5 * 3.0)


@pytest.mark.parametrize("effort", [None, {"shoulder": 40.0, "elbow": 20.0}])
def test_a_model_without_actuators_gets_one_for_each_joint(effort: dict[str, float] | None) -> None:
    spec = arm()
    to_position_servos(spec, kp=10.0, kd=1.0, effort=effort)
    model = spec.compile()
    assert [model.actuator(i).name for i in range(model.nu)] == ["shoulder", "elbow"]
    np.testing.assert_allclose(np.degrees(model.actuator_ctrlrange), [[-90, 90], [-60, 60]])
    limits = model.actuator_forcerange[:, 1].tolist()
    assert limits == ([40.0, 20.0] if effort else [0.0, 0.0])
    assert model.actuator_forcelimited.tolist() == [bool(effort)] * 2


def test_servos_become_motors_with_the_efforts_that_they_had() -> None:
    spec = arm(
        '<position joint="shoulder" kp="9" forcerange="-4 4" ctrlrange="-1 1"/>'
        '<motor joint="elbow" gear="5" ctrlrange="-1 1"/>'
    )
    to_motors(spec)
    model = spec.compile()
    assert model.actuator_ctrlrange.tolist() == [[-4.0, 4.0], [-5.0, 5.0]]
    assert model.actuator_gear[:, 0].tolist() == [1.0, 1.0]
    assert [actuator_kind(model, i) for i in range(2)] == ["motor", "motor"]


def test_servos_hold_a_pose_and_motors_do_nothing() -> None:
    spec = quadruped()
    to_position_servos(spec, kp=40.0, kd=1.0, joints="F*")
    model = spec.compile()
    kinds = [actuator_kind(model, i) for i in range(8)]
    assert kinds == ["servo"] * 4 + ["motor"] * 4
    assert holding_ctrl(model, np.array(HOME)).tolist() == [0.4, -0.8, 0.4, -0.8, 0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("actuators", "kind"),
    [
        ('<motor joint="elbow"/>', "motor"),
        ('<position joint="elbow" kp="3"/>', "servo"),
        ('<velocity joint="elbow" kv="3"/>', ""),
        ('<damper joint="elbow" kv="3" ctrlrange="0 1"/>', ""),
        ('<general joint="elbow" gainprm="5" biastype="affine" biasprm="0 -5 -1"/>', "servo"),
    ],
)
def test_kinds_of_actuators(actuators: str, kind: str) -> None:
    assert actuator_kind(arm(actuators).compile(), 0) == kind


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda: to_position_servos(arm(elbow=""), 1.0, 1.0),
            "joint 'elbow' has no limits, which the commands of a position servo need",
        ),
        (
            lambda: to_position_servos(arm(), {"shoulder": 1.0}, 1.0),
            "kp has no entry for joint 'elbow'; it has shoulder",
        ),
        (
            lambda: to_position_servos(arm(), 1.0, 1.0, joints=["elbo"]),
            r"no hinge or slide joint named 'elbo'; did you mean elbow\?",
        ),
        (lambda: to_motors(arm()), "the largest effort of joint 'shoulder' is not in the model"),
    ],
)
def test_what_is_missing_is_named(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PoloError, match=message):
        change()
