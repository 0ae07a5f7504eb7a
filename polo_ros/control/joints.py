"""How a model appears on ROS 2 topics: joints by name, a floating base, free objects, actuators."""

from dataclasses import dataclass

import mujoco
import numpy as np

from polo_ros.arrays import Array, Mask
from polo_ros.errors import PoloError
from polo_ros.tasks.actuators import actuator_kind
from polo_ros.tasks.model import FREE, SCALAR_JOINTS

EFFORT_TOPIC = "effort_controller/commands"
POSITION_TOPIC = "position_controller/commands"
TRAJECTORY_TOPIC = "joint_trajectory_controller/joint_trajectory"


@dataclass(frozen=True)
class FreeBody:
    """A body on a free joint: its name and where its state lies."""

    name: str
    qpos: int
    qvel: int


class JointMapping:
    """The names and addresses by which a model appears on the topics.

    Args:
      model: whose actuators each drive one hinge or slide joint.
      joints: order of the joints in commands; empty for the actuators' own.

    Attributes:
      servo: whether each actuator's control is a position, (nu,).

    Raises:
      PoloError: an actuator that drives no such joint or is neither motor nor servo, a ball joint, or a wrong
        joint name.
    """

    def __init__(self, model: mujoco.MjModel, joints: tuple[str, ...] = ()) -> None:
        self.model = model
        kinds = [actuator_kind(model, index) for index in range(model.nu)]
        for index, controlled in enumerate(kinds):
            if not controlled:
                raise PoloError(
                    f"actuator '{model.actuator(index).name}' is neither a motor nor a position servo, and "
                    f"commands are efforts or positions; call to_motors or to_position_servos in build"
                )
        self.joint_names: list[str] = []
        qpos, qvel = [], []
        self.base: FreeBody | None = None
        self.objects: list[FreeBody] = []
        driven = {self._driven_joint(i) for i in range(model.nu)}
        for index in range(model.njnt):
            joint = model.joint(index)
            kind = int(model.jnt_type[index])
            if kind in SCALAR_JOINTS:
                self.joint_names.append(joint.name)
                qpos.append(int(joint.qposadr[0]))
                qvel.append(int(joint.dofadr[0]))
            elif kind == FREE:
                body = int(model.jnt_bodyid[index])
                free = FreeBody(model.body(body).name, int(joint.qposadr[0]), int(joint.dofadr[0]))
                roots = {int(model.body_rootid[model.jnt_bodyid[j]]) for j in driven}
                if self.base is None and body in roots:
                    self.base = free
                else:
                    self.objects.append(free)
            else:
                raise PoloError(f"joint '{joint.name}' is a ball joint, which joint_states cannot carry")
        self.qpos = np.array(qpos, dtype=int)
        self.qvel = np.array(qvel, dtype=int)
        actuated = [model.joint(self._driven_joint(i)).name for i in range(model.nu)]
        self.command_joints = list(joints) or actuated
        check_names(self.command_joints, actuated, "the joints parameter")
        order = np.array([actuated.index(name) for name in self.command_joints], dtype=int)
        self._actuator_of_command = order
        self._gear = model.actuator_gear[:, 0].copy()
        self.servo: Mask = np.array(kinds, dtype=str) == "servo"
        self.position_controlled = bool(self.servo.all())
        gain = model.actuator_gainprm[:, 0]
        self._unit: Array = np.where(self.servo, 1.0 / self._gear, self._gear * gain)

    @property
    def command_topic(self) -> str:
        """The topic that commands are published on, by their unit."""
        return POSITION_TOPIC if self.position_controlled else EFFORT_TOPIC

    def check_trajectories(self) -> None:
        """Refuse trajectories for actuators whose commands are no positions.

        Raises:
          PoloError: an actuator is no position servo, which it names.
        """
        others = np.flatnonzero(~self.servo)
        if others.size:
            name = self.model.joint(self._driven_joint(int(others[0]))).name
            raise PoloError(
                f"command_message: trajectory carries positions, but the actuator of joint '{name}' is no "
                f"position servo; set command_message: array"
            )

    def _driven_joint(self, actuator: int) -> int:
        if self.model.actuator_trntype[actuator] != int(mujoco.mjtTrn.mjTRN_JOINT):
            raise PoloError(
                f"actuator '{self.model.actuator(actuator).name}' does not drive a joint; "
                f"commands are sent joint by joint"
            )
        return int(self.model.actuator_trnid[actuator, 0])

    def command(self, ctrl: Array) -> Array:
        """Controls (nu,) as efforts in N·m (or N) or positions in rad (or m), in the joints' order."""
        command: Array = (ctrl * self._unit)[self._actuator_of_command]
        return command

    def ctrl(self, command: Array) -> Array:
        """The inverse of `command`.

        Raises:
          PoloError: a wrong number of values, or one that is not finite.
        """
        if len(command) != len(self.command_joints):
            raise PoloError(
                f"a command has {len(command)} values for {len(self.command_joints)} joints; send one each "
                f"for {', '.join(self.command_joints)}"
            )
        bad = np.flatnonzero(~np.isfinite(command))
        if bad.size:
            raise PoloError(f"the command for {self.command_joints[bad[0]]} is {command[bad[0]]}")
        ctrl = np.empty(self.model.nu)
        ctrl[self._actuator_of_command] = command
        return ctrl / self._unit

    def damping_ctrl(self, qvel: Array, gain: float, period: float) -> Array:
        """Controls (nu,) that brake every joint with a motor: -gain · velocity, in N·m; zero for servos.

        A brake that is held for a control period must not reverse a light joint meanwhile, or velocity and
        effort grow from period to period: no joint's gain is more than what stops it in one period, in s.
        """
        dofs = self.model.jnt_dofadr[self.model.actuator_trnid[:, 0]]
        stopping = 1.0 / np.maximum(self.model.dof_invweight0[dofs] * period, 1e-12)
        torque: Array = np.where(~self.servo, -np.minimum(gain, stopping) * qvel[dofs], 0.0)
        return torque / self._unit

    def measured_ctrl(self, qpos: Array) -> Array:
        """Controls (nu,) that keep servos where positions (nq,) say they are; zero for other actuators."""
        addresses = self.model.jnt_qposadr[self.model.actuator_trnid[:, 0]]
        positions: Array = np.where(self.servo, qpos[addresses], 0.0)
        return positions / self._unit

    def servo_ctrl(self, distance: float) -> Array:
        """How far a distance in rad or m is in each servo's control, (nu,); zero for other actuators."""
        span: Array = np.where(self.servo, distance, 0.0)
        return span / np.abs(self._unit)


def check_names(given: list[str], known: list[str], what: str) -> None:
    """Compare joint names as sets.

    Raises:
      PoloError: a doubled, unknown or missing name, which it names.
    """
    doubled = sorted({name for name in given if given.count(name) > 1})
    unknown = sorted(set(given) - set(known))
    missing = sorted(set(known) - set(given))
    for kind, names in (("doubled", doubled), ("unknown", unknown), ("missing", missing)):
        if names:
            raise PoloError(f"{what}: {kind} joint {', '.join(names)}; expected {', '.join(known)}")
