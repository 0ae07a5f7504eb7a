"""What an arm's model gets: servos, home pose, obstacle, contact sensors; its other joints are fixed."""

from collections.abc import Sequence

import mujoco
import numpy as np

from polo_ros.errors import PoloError
from polo_ros.tasks.actuators import actuator_kind, effort_limit, to_position_servos
from polo_ros.tasks.arm_setup import ArmSetup, each
from polo_ros.tasks.building import add_keyframe, matching_joints
from polo_ros.tasks.sources import compile_spec

HOME, OBSTACLE = "home", "obstacle"
JOINT_COUNTS = (6, 7)
# what a contact sensor reports: whether there is any contact, and the least distance
DISTANCE_DATA = (1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)) | (
    1 << int(mujoco.mjtConDataField.mjCONDATA_DIST)
)
LEAST_DISTANCE = 1


def arm_joints(spec: mujoco.MjSpec, setup: ArmSetup) -> list[str]:
    """The names of the arm's joints, from its base to its tool.

    Raises:
      PoloError: the model has no such joint, or they are not 6 or 7.
    """
    names = [joint.name for joint in matching_joints(spec, setup.joints)]
    if len(names) not in JOINT_COUNTS:
        raise PoloError(
            f"an arm has 6 or 7 joints, but setup.joints matches {len(names)}: {', '.join(names)}"
        )
    return names


def fix_other_joints(spec: mujoco.MjSpec, joints: Sequence[str]) -> None:
    """Remove all other joints, with the actuators, equalities, tendons and sensors that need them.

    What they carry, such as the fingers of a gripper, keeps its reference pose. Of the keyframes, `home` is
    kept, with the positions of the arm's joints.

    Raises:
      PoloError: MuJoCo refuses the model.
    """
    others = [joint for joint in spec.joints if joint.name not in joints]
    model = compile_spec(spec.copy(), "the model")
    home = [np.array(key.qpos) for key in spec.keys if key.name == HOME]
    removed = {joint.name for joint in others}
    for tendon in list(spec.tendons):
        if any(wrap.target is not None and wrap.target.name in removed for wrap in tendon.path):
            removed.add(tendon.name)
            spec.delete(tendon)
    for actuator in list(spec.actuators):
        if actuator.target not in joints or actuator.trntype != mujoco.mjtTrn.mjTRN_JOINT:
            removed.add(actuator.name)
            spec.delete(actuator)
    for constraint in list(spec.equalities):
        if {constraint.name1, constraint.name2} & removed:
            spec.delete(constraint)
    for sensor in list(spec.sensors):
        if {sensor.objname, sensor.refname} & removed:
            spec.delete(sensor)
    for part in (*spec.keys, *others):
        spec.delete(part)
    if home:
        add_keyframe(spec, HOME, {name: float(home[0][model.joint(name).qposadr[0]]) for name in joints})


def add_servos(spec: mujoco.MjSpec, setup: ArmSetup, joints: Sequence[str]) -> None:
    """Give each joint a position servo: the model's own where it has one, else one of the setup's gains.

    Raises:
      PoloError: an actuator that is neither motor nor servo, a joint without an actuator beside joints that
        have one, a joint without a range, or a wrong number of gains.
    """
    model = compile_spec(spec.copy(), "the model")
    driving = {actuator.target: actuator for actuator in spec.actuators}
    made = []
    for name in joints:
        if driving and name not in driving:
            raise PoloError(f"joint '{name}' has no actuator, but other joints of the arm have one")
        kind = actuator_kind(model, driving[name].id) if driving else "none"
        if not kind:
            raise PoloError(
                f"actuator '{driving[name].name}' of joint '{name}' is neither a motor nor a position servo"
            )
        if kind != "servo":
            made.append(name)
        elif not model.actuator_ctrllimited[driving[name].id]:
            driving[name].ctrlrange, driving[name].ctrllimited = servo_range(model, name), True
    if made:
        kp, kd = each(setup.kp, joints, "kp"), each(setup.kd, joints, "kd")
        effort, armature = each(setup.effort, joints, "effort"), each(setup.armature, joints, "armature")
        for joint in matching_joints(spec, made):
            if driving:
                effort[joint.name] = effort_limit(joint, driving[joint.name]) or effort[joint.name]
            joint.armature = joint.armature or armature[joint.name]
        to_position_servos(spec, kp, kd, effort, made)
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST


def servo_range(model: mujoco.MjModel, joint: str) -> list[float]:
    """The range of a joint.

    Raises:
      PoloError: it has none.
    """
    index = model.joint(joint).id
    if not model.jnt_limited[index]:
        raise PoloError(f"joint '{joint}' has no limits, which the commands of a position servo need")
    return [float(limit) for limit in model.jnt_range[index]]


def add_home(spec: mujoco.MjSpec, setup: ArmSetup, joints: Sequence[str]) -> None:
    """The keyframe `home` of the setup's pose, where the model has none.

    Raises:
      PoloError: the pose has not an entry for each joint, or lies outside the range of one.
    """
    if HOME in [key.name for key in spec.keys]:
        return
    model, pose = compile_spec(spec.copy(), "the model"), each(setup.home_pose, joints, "home_pose")
    for name, angle in pose.items():
        low, high = servo_range(model, name)
        if not low <= angle <= high:
            raise PoloError(
                f"setup.home_pose puts joint '{name}' at {angle:g}, outside its range {low:.3g} … {high:.3g}"
            )
    add_keyframe(spec, HOME, pose)


def add_obstacle(spec: mujoco.MjSpec, setup: ArmSetup) -> None:
    """A box that collides with whatever does, and that is felt without a force from `clearance` on."""
    geoms = spec.geoms
    box = spec.worldbody.add_body(name=OBSTACLE, pos=list(setup.obstacle_position)).add_geom(
        name=OBSTACLE,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.5 * edge for edge in setup.obstacle_size],
        rgba=[0.85, 0.35, 0.2, 1.0],
        gap=setup.clearance,
    )
    for geom in geoms:
        box.contype |= geom.conaffinity
        box.conaffinity |= geom.contype


def add_contact_sensors(spec: mujoco.MjSpec, setup: ArmSetup, first_joint: str) -> None:
    """What the arm touches: `obstacle_contact`, `self_contact` and `world_contact`.

    Each is the number of contacts and the least distance in m, below zero where bodies overlap. Contacts with
    the obstacle include those within `clearance` of it.
    """
    root = spec.joint(first_joint).parent
    while root.parent.name != "world":
        root = root.parent
    arm = {"reftype": mujoco.mjtObj.mjOBJ_XBODY, "refname": root.name}
    pairs = {
        "self_contact": {"objtype": mujoco.mjtObj.mjOBJ_XBODY, "objname": root.name},
        "world_contact": {"objtype": mujoco.mjtObj.mjOBJ_BODY, "objname": "world"},
    }
    if setup.obstacle:
        pairs["obstacle_contact"] = {"objtype": mujoco.mjtObj.mjOBJ_BODY, "objname": OBSTACLE}
    for name, pair in pairs.items():
        spec.add_sensor(
            name=name,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            intprm=[DISTANCE_DATA, LEAST_DISTANCE, 1],
            **pair,
            **arm,
        )


def show_everything(spec: mujoco.MjSpec) -> None:
    """Light from the camera, and no cameras of the model's own: pictures then show all that moves."""
    for camera in list(spec.cameras):
        spec.delete(camera)
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.4] * 3, [0.5] * 3
