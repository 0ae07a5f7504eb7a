"""How a model appears on the topics: joints, bases, objects, units of commands."""

import mujoco
import numpy as np
import pytest

from benchmarks.faults.robots import make_arm
from polo_ros.control.joints import JointMapping
from polo_ros.errors import PoloError
from polo_ros.tasks import Task

# an arm with two motors in another order than its joints, beside a free box
ARM = """
<mujoco>
  <compiler autolimits="true"/>
  <worldbody>
    <body name="box"><freejoint/><geom size="0.1"/></body>
    <body name="upper">
      <joint name="shoulder" axis="0 1 0"/><geom size="0.1"/>
      <body name="lower" pos="0 0 1"><joint name="elbow" axis="0 1 0"/><geom size="0.1"/></body>
    </body>
  </worldbody>
  <actuator>{actuators}</actuator>
</mujoco>
"""
MOTORS = """
  <motor joint="elbow" gear="20" ctrlrange="-1 1"/>
  <motor joint="shoulder" gear="50" ctrlrange="-1 1"/>
"""
SERVOS = """
  <position joint="elbow" kp="30" ctrlrange="-1 1"/>
  <position joint="shoulder" kp="30" gear="2" ctrlrange="-1 1"/>
"""


def arm(actuators: str = MOTORS) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(ARM.format(actuators=actuators))


def test_a_humanoid_has_a_floating_base_and_no_objects(humanoid_getup: Task) -> None:
    robot = JointMapping(humanoid_getup.model)
    assert robot.base is not None
    assert (robot.base.qpos, robot.base.qvel) == (0, 0)
    assert robot.objects == []
    assert len(robot.joint_names) == len(robot.command_joints) == 21
    assert sorted(robot.joint_names) == sorted(robot.command_joints)
    assert sorted(robot.qpos) == list(range(7, 28))


def test_a_free_body_that_no_actuator_moves_is_an_object() -> None:
    robot = JointMapping(arm())
    assert robot.base is None
    assert [(body.name, body.qpos, body.qvel) for body in robot.objects] == [("box", 0, 0)]
    assert robot.joint_names == ["shoulder", "elbow"]
    assert (list(robot.qpos), list(robot.qvel)) == ([7, 8], [6, 7])


def test_commands_are_torques_in_the_order_of_the_joints_parameter() -> None:
    assert JointMapping(arm()).command_joints == ["elbow", "shoulder"]
    robot = JointMapping(arm(), ("shoulder", "elbow"))
    assert robot.command_topic == "effort_controller/commands"
    assert list(robot.command(np.array([0.5, -0.1]))) == [-5.0, 10.0]
    assert list(robot.ctrl(np.array([-5.0, 10.0]))) == [0.5, -0.1]


def test_servos_are_commanded_positions_in_joint_units() -> None:
    robot = JointMapping(arm(SERVOS))
    assert robot.command_topic == "position_controller/commands"
    assert list(robot.command(np.array([0.5, 0.5]))) == [0.5, 0.25]
    assert list(robot.ctrl(np.array([0.5, 0.25]))) == [0.5, 0.5]
    assert list(robot.damping_ctrl(np.ones(8), 5.0, 0.002)) == [0.0, 0.0]


def test_damping_is_a_torque_against_each_joints_velocity() -> None:
    robot = JointMapping(arm())
    qvel = np.zeros(8)
    qvel[robot.qvel] = 2.0, -1.0  # shoulder, elbow
    braking = robot.command(robot.damping_ctrl(qvel, 5.0, 0.002))
    np.testing.assert_allclose(braking, [5.0, -10.0])  # elbow, shoulder


def test_damping_does_not_reverse_a_light_joint_within_a_period() -> None:
    task = make_arm("motor")
    robot, data = JointMapping(task.model), mujoco.MjData(task.model)
    data.qvel[:] = 0.0, 0.5
    for _ in range(100):
        data.ctrl[:] = robot.measured_ctrl(data.qpos) + robot.damping_ctrl(data.qvel, 100.0, task.timestep)
        before = abs(data.qvel[1])
        mujoco.mj_step(task.model, data)
        assert abs(data.qvel[1]) <= before + 1e-3
    assert abs(data.qvel[1]) < 0.01


def test_every_actuator_has_its_own_kind() -> None:
    robot = JointMapping(
        arm("""<position joint="elbow" kp="30" gear="2" ctrlrange="-1 1"/>
      <motor joint="shoulder" gear="50" ctrlrange="-1 1"/>""")
    )
    assert list(robot.servo) == [True, False]
    assert list(robot.measured_ctrl(np.arange(9.0))) == [16.0, 0.0]
    assert list(robot.servo_ctrl(0.1)) == [0.2, 0.0]
    assert list(robot.damping_ctrl(np.arange(8.0), 5.0, 0.002)) == [0.0, -0.6]


def test_an_actuator_that_takes_neither_efforts_nor_positions_is_refused() -> None:
    model = arm("""<velocity name="spin" joint="elbow" kv="3" ctrlrange="-1 1"/>
      <motor joint="shoulder" gear="50" ctrlrange="-1 1"/>""")
    with pytest.raises(PoloError, match="actuator 'spin' is neither a motor nor a position servo"):
        JointMapping(model)


@pytest.mark.parametrize(
    ("joints", "problem"),
    [
        (("shoulder", "elbow", "elbow"), "doubled joint elbow"),
        (("shoulder", "wrist"), "unknown joint wrist"),
        (("shoulder",), "missing joint elbow"),
    ],
)
def test_wrong_names_in_the_joints_parameter_are_named(joints: tuple[str, ...], problem: str) -> None:
    with pytest.raises(PoloError, match=f"the joints parameter: {problem}; expected elbow, shoulder"):
        JointMapping(arm(), joints)


def test_a_command_of_a_wrong_size_or_not_finite_is_named() -> None:
    robot = JointMapping(arm())
    with pytest.raises(
        PoloError, match="a command has 3 values for 2 joints; send one each for elbow, shoulder"
    ):
        robot.ctrl(np.zeros(3))
    with pytest.raises(PoloError, match="the command for shoulder is nan"):
        robot.ctrl(np.array([0.0, np.nan]))


def test_a_ball_joint_is_refused() -> None:
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><body><joint name="hip" type="ball"/><geom size="1"/></body></worldbody></mujoco>'
    )
    with pytest.raises(PoloError, match="'hip' is a ball joint"):
        JointMapping(model)


def test_an_actuator_that_drives_no_joint_is_refused() -> None:
    with pytest.raises(PoloError, match="actuator 'push' does not drive a joint"):
        JointMapping(arm('<general name="push" body="lower" ctrlrange="0 1"/>'))
