"""Actuators of a model: their kind, and their replacement by position servos or motors."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import mujoco
import numpy as np

from polo_ros.errors import PoloError
from polo_ros.tasks.building import matching_joints

# a number for all joints, or numbers by the joint's name or a pattern such as "*_knee_joint"
PerJoint = float | Mapping[str, float]


def to_position_servos(
    spec: mujoco.MjSpec,
    kp: PerJoint,
    kd: PerJoint,
    effort: PerJoint | None = None,
    joints: str | Sequence[str] = "*",
) -> None:
    """Turn actuators into position servos: effort = kp · (command - position) - kd · velocity.

    The command's range is the range of the joint. Where the model has no actuators at all, each joint gets
    one of its own name. The integrator becomes `implicitfast`, which stays stable under strong damping.

    Args:
      spec: of the model.
      kp: stiffness in N·m/rad or N/m.
      kd: damping in N·m·s/rad or N·s/m.
      effort: the largest effort in N·m or N; by default that of the present actuator, if it has one.
      joints: whose actuators change.

    Raises:
      PoloError: a joint without a range, a joint that no entry of `kp`, `kd` or `effort` is for, or a name
        that the model does not have.
    """
    pairs = _actuated(spec, joints)
    # compiled, ranges are in rad whatever unit the file has
    compiled = spec.copy().compile()
    for joint, actuator in pairs:
        index = compiled.joint(joint.name).id
        low, high = (float(limit) for limit in compiled.jnt_range[index])
        if not compiled.jnt_limited[index]:
            raise PoloError(
                f"joint '{joint.name}' has no limits, which the commands of a position servo need; give it a "
                f"range in build, or leave it out of `joints`"
            )
        limit = effort_limit(joint, actuator) if effort is None else per_joint(effort, joint.name, "effort")
        _reset(actuator)
        actuator.set_to_position(kp=per_joint(kp, joint.name, "kp"), kv=per_joint(kd, joint.name, "kd"))
        actuator.ctrlrange, actuator.ctrllimited = [low, high], True
        if limit:
            actuator.forcerange, actuator.forcelimited = [-limit, limit], True
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def to_motors(spec: mujoco.MjSpec, effort: PerJoint | None = None, joints: str | Sequence[str] = "*") -> None:
    """Turn actuators into motors whose command is an effort in N·m or N.

    Args:
      spec: of the model.
      effort: the largest effort; by default that of the present actuator.
      joints: whose actuators change.

    Raises:
      PoloError: a joint whose largest effort is not known, or a name that the model does not have.
    """
    for joint, actuator in _actuated(spec, joints):
        limit = effort_limit(joint, actuator) if effort is None else per_joint(effort, joint.name, "effort")
        if not limit:
            raise PoloError(
                f"the largest effort of joint '{joint.name}' is not in the model; give `effort` to to_motors"
            )
        _reset(actuator)
        actuator.set_to_motor()
        actuator.ctrlrange, actuator.ctrllimited = [-limit, limit], True


def effort_limit(joint: mujoco.MjsJoint, actuator: mujoco.MjsActuator) -> float:
    """The largest effort that a joint's actuator gives by the model, in N·m or N; 0 where it does not say."""
    limits = [float(joint.actfrcrange[1])]
    gear = abs(float(actuator.gear[0]))
    limits.append(float(actuator.forcerange[1]) * gear)
    if actuator.gaintype == mujoco.mjtGain.mjGAIN_FIXED and actuator.biastype == mujoco.mjtBias.mjBIAS_NONE:
        limits.append(float(actuator.ctrlrange[1]) * float(actuator.gainprm[0]) * gear)
    return min((limit for limit in limits if limit > 0.0), default=0.0)


def per_joint(values: PerJoint, joint: str, what: str) -> float:
    """The value for a joint: the number for all, or that of the last name or pattern that matches.

    Raises:
      PoloError: none matches.
    """
    if not isinstance(values, Mapping):
        return float(values)
    found = [value for pattern, value in values.items() if fnmatchcase(joint, pattern)]
    if not found:
        raise PoloError(f"{what} has no entry for joint '{joint}'; it has {', '.join(values) or 'none'}")
    return float(found[-1])


def actuator_kind(model: mujoco.MjModel, actuator: int) -> str:
    """What an actuator's control is: "motor" for an effort, "servo" for a position, "" for anything else."""
    if model.actuator_gaintype[actuator] != int(mujoco.mjtGain.mjGAIN_FIXED):
        return ""
    bias = model.actuator_biastype[actuator]
    if bias == int(mujoco.mjtBias.mjBIAS_NONE):
        return "motor"
    servo = bias == int(mujoco.mjtBias.mjBIAS_AFFINE) and model.actuator_biasprm[actuator, 1] < 0.0
    return "servo" if servo else ""


def holding_ctrl(model: mujoco.MjModel, qpos: np.ndarray) -> np.ndarray:
    """The control (nu,) with which servos keep their joints at positions (nq,); zero for all others."""
    ctrl = np.zeros(model.nu)
    for index in range(model.nu):
        if actuator_kind(model, index) == "servo" and model.actuator_trntype[index] == int(
            mujoco.mjtTrn.mjTRN_JOINT
        ):
            address = model.jnt_qposadr[model.actuator_trnid[index, 0]]
            ctrl[index] = model.actuator_gear[index, 0] * qpos[address]
    return ctrl


def _actuated(
    spec: mujoco.MjSpec, joints: str | Sequence[str]
) -> list[tuple[mujoco.MjsJoint, mujoco.MjsActuator]]:
    """The joints that match and have an actuator, with it; each gets one where the model has none at all."""
    found = matching_joints(spec, joints)
    if not len(spec.actuators):
        made = [
            spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
            for joint in found
        ]
        return list(zip(found, made, strict=True))
    driving = {
        actuator.target: actuator
        for actuator in spec.actuators
        if actuator.trntype == mujoco.mjtTrn.mjTRN_JOINT
    }
    return [(joint, driving[joint.name]) for joint in found if joint.name in driving]


def _reset(actuator: mujoco.MjsActuator) -> None:
    """Reset an actuator's gains, bias and limits, but keep its name and joint."""
    actuator.dyntype, actuator.dynprm = mujoco.mjtDyn.mjDYN_NONE, np.zeros(10)
    actuator.gainprm, actuator.biasprm = np.zeros(10), np.zeros(10)
    actuator.gaintype, actuator.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_NONE
    actuator.gainprm[0] = 1.0
    actuator.gear = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    actuator.forcerange, actuator.forcelimited = [0.0, 0.0], mujoco.mjtLimited.mjLIMITED_AUTO
    actuator.actrange, actuator.actlimited = [0.0, 0.0], mujoco.mjtLimited.mjLIMITED_AUTO
    actuator.actdim = -1
    actuator.inheritrange = 0.0
